"""Renders the pictures of `sample_data/`: ours, the same bytes whenever the same versions of the libraries make them.

Usage: .venv/bin/python scripts/make_sample_data.py [FOLDER]      (about half a minute)

Pillow and the standard library only. Every picture is a pure function of its size and a seed.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from scripts.sample_data import files, food, land, things, town, water

ROOT = Path(__file__).resolve().parent.parent


@functools.cache
def _ridge() -> Image.Image:
    return land.mountains((1200, 800))


def _palette() -> bytes:
    flat = town.poster((1200, 800)).quantize(32, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    return files.encode(flat, "PNG", optimize=True)


def _sixteen_bits() -> bytes:
    return files.encode(land.moon_ground((640, 440)), "PNG", compress_level=9)


SAMPLES: dict[str, Callable[[], bytes]] = {
    **{
        f"orientation/cabin {number}.jpg": functools.partial(lambda number: files.oriented(_ridge(), number), number)
        for number in range(1, 9)
    },
    "garden/autumn leaves.jpg": lambda: files.jpeg(things.autumn_leaves((1280, 853)), 76),
    "garden/gerbera, Display P3.jpg": lambda: files.jpeg(
        things.flower((1200, 900)), 82, icc_profile=files.display_p3(), subsampling=0
    ),
    "kitchen/citrus, CMYK.jpg": lambda: files.jpeg(files.separated(food.citrus((1024, 768))), 72),
    "kitchen/fruit bowl.jpg": lambda: files.jpeg(food.fruit_bowl((1400, 1000)), 80),
    "made/bubbles, alpha.png": lambda: files.encode(things.bubbles((800, 600)), "PNG", compress_level=9),
    "made/moon ground, 16 bit.png": _sixteen_bits,
    "made/poster, palette.png": _palette,
    "made/tartan.jpg": lambda: files.jpeg(town.weave((1000, 720)), 70),
    "made/tiles.tif": lambda: files.encode(town.tiles((1200, 900)), "TIFF", compression="jpeg", quality=78),
    "moving/month.gif": lambda: files.gif(files.moon_phases(240), 140),
    "moving/sea.webp": lambda: files.sea_loop((600, 400)),
    "travel/aurora.avif": lambda: files.encode(land.aurora((1500, 1000)), "AVIF", quality=62, speed=6, max_threads=1),
    "travel/balloons.jpg": lambda: files.jpeg(things.balloons((1200, 900)), 80),
    "travel/city at night.webp": lambda: files.encode(town.city_at_night((1400, 930)), "WEBP", quality=76, method=6),
    "travel/dunes, progressive.jpg": lambda: files.jpeg(land.dunes((1500, 1000)), 80, progressive=True),
    "travel/forest, grey.jpg": lambda: files.jpeg(land.misty_forest((1200, 900)), 80),
    "travel/lighthouse, GPS.jpg": lambda: files.signed(water.lighthouse((900, 1350))),
    "travel/meadow, wide.jpg": lambda: files.jpeg(land.meadow((1800, 700), "#2f7ecb"), 78),
    "travel/sunset.jpg": lambda: files.jpeg(water.sunset((1500, 1000)), 80),
    "travel/été à la mer.jpg": lambda: files.jpeg(water.shore((1300, 900)), 74),
}


def main(arguments: list[str]) -> int:
    """Writes every picture below the folder (default: `sample_data`) and says how large they are together."""
    folder = Path(arguments[0]) if arguments else ROOT / "sample_data"
    total = 0
    for name, make in SAMPLES.items():
        content = make()
        total += len(content)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        print(f"{len(content):>8}  {name}")
    print(f"{total:>8}  together, {len(SAMPLES)} pictures")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
