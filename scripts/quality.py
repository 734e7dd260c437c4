#!/usr/bin/env python3
"""How close the targets come to the best that could be made. To be run as `.venv/bin/python scripts/quality.py`.

The measure is the mean SSIM of luma (Rec. 601, full range) with the usual window: Gaussian, 11x11, sigma 1.5,
K1 = 0.01, K2 = 0.03, values 0 to 255, where the window fits wholly into the picture. A target is decoded from its file
and held against the source, decoded in full, turned upright, converted to sRGB where it has a profile (relative
colorimetric with black point compensation) and resized by Pillow's Lanczos to the very size of the target. So it counts
what shrinking in the decoder, resampling and encoding lose together. All are JPEGs of quality 80.

With `--rates FOLDER`, encoders alone are compared instead, from the very same pixels: `benchmarks/rates.py`.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from statistics import mean

import pyvips
from PIL import Image, ImageCms, ImageOps

from scripts.benchmarks import folders, installed, rates
from scripts.benchmarks.competitors import ALL, QUALITY, Encoder, Work
from scripts.benchmarks.figures import aligned
from scripts.benchmarks.measure import adopt_orphans, run

_ROOT = Path(__file__).resolve().parent.parent
_PEERS = ("vipsthumbnail", "sharp")
_RADIUS, _SIGMA = 5, 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_LUMA = (0.299, 0.587, 0.114)

Scores = dict[str, dict[str, float]]  # who made it -> source -> SSIM


def ssim(first: Image.Image, other: Image.Image) -> float:
    """The mean structural similarity of the lumas of two pictures of one size, both RGB and at least 11x11."""
    x, y = _luma(first), _luma(other)
    mean_x, mean_y = _window(x), _window(y)
    square_x, square_y, product = mean_x * mean_x, mean_y * mean_y, mean_x * mean_y
    variance_x, variance_y = _window(x * x) - square_x, _window(y * y) - square_y
    covariance = _window(x * y) - product
    map_ = ((2 * product + _C1) * (2 * covariance + _C2)) / (
        (square_x + square_y + _C1) * (variance_x + variance_y + _C2)
    )
    inner = map_.crop(_RADIUS, _RADIUS, map_.width - 2 * _RADIUS, map_.height - 2 * _RADIUS)
    return float(inner.avg())


def reference(path: Path) -> Image.Image:
    """The source as it should be seen, at full size: upright, sRGB."""
    with Image.open(path) as image:
        profile = image.info.get("icc_profile")
        upright = ImageOps.exif_transpose(image)
    if not profile:
        return upright.convert("RGB")
    converted = ImageCms.profileToProfile(
        upright,
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert converted is not None
    return converted


def _luma(image: Image.Image) -> pyvips.Image:
    pixels = pyvips.Image.new_from_memory(image.tobytes(), image.width, image.height, 3, "uchar")
    return sum(pixels[band] * weight for band, weight in enumerate(_LUMA))


def _window(values: pyvips.Image) -> pyvips.Image:
    weights = [math.exp(-(step**2) / (2 * _SIGMA**2)) for step in range(-_RADIUS, _RADIUS + 1)]
    total = sum(weights)
    return values.convsep(pyvips.Image.new_from_array([[weight / total for weight in weights]]), precision="float")


def _make(work: Work, variants: dict[str, str]) -> dict[str, Path]:
    """A folder of targets by each of those who can: `pipeline`, its variants, the peers that are installed."""
    made = {}
    for name, lines in {"pipeline": "", **variants}.items():
        config = work.config.with_name(f"{name}.yaml")
        own = replace(work, target=_empty(work.target / name), config=config)
        config.write_text(
            f"source: {work.source}\ntarget: {{path: {own.target}, name: '{{stem}}.{{ext}}'}}\nrenditions:\n  one:\n"
            f"    width: {work.sides[0]}\n    height: {work.sides[0]}\n    format: jpeg\n    quality: {QUALITY}\n"
            + "".join(f"    {line.strip()}\n" for line in lines.split(";") if line.strip())
        )
        command = ALL["pipeline"](own)
        assert command is not None
        run(command.argv)
        made[name] = own.target
    for name in _PEERS:
        own = replace(work, target=_empty(work.target / name))
        command = ALL[name](own)
        if command is not None:
            run(command.argv, stdin=command.stdin, environment=command.environment)
            made[name] = own.target
    return made


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _scores(source: Path, made: dict[str, Path]) -> Scores:
    scores: Scores = {name: {} for name in made}
    for path in sorted(source.iterdir()):
        full = reference(path)
        for name, target in made.items():
            with Image.open(target / (path.stem + ".jpg")) as image:
                rendition = image.convert("RGB")
            scores[name][path.name] = ssim(full.resize(rendition.size, Image.Resampling.LANCZOS), rendition)
    return scores


def main(words: list[str] | None = None) -> int:
    """Make, measure and print."""
    parser = argparse.ArgumentParser(description="Mean SSIM of the targets of `pipeline` and of peers.")
    parser.add_argument("--folder", type=Path, help="photographs (read only); default: some that are made here")
    parser.add_argument("--sizes", type=int, nargs="+", default=[300, 1200], metavar="PX")
    parser.add_argument(
        "--variant", action="append", default=[], metavar="NAME=LINES",
        help='`pipeline` again with other settings of the rendition, as "libvips=resampler: libvips"',
    )  # fmt: skip
    parser.add_argument(
        "--rates", type=Path, metavar="FOLDER",
        help="instead: bytes and SSIMULACRA 2 of encoders at the first of --sizes; quality.json and .svg go there",
    )  # fmt: skip
    parser.add_argument("--each", action="store_true", help="a line for each picture as well")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument(
        "--cache", type=Path, default=_ROOT / "build" / "bench", help="where to work (default: build/bench)"
    )
    chosen = parser.parse_args(words)
    adopt_orphans()
    cache = chosen.cache.resolve()
    peers = installed.find(cache)
    if chosen.rates:
        return _rates(chosen.folder or folders.photos(cache), chosen.sizes[0], peers, chosen.rates)
    place = _empty(cache / "work" / "quality")
    source = folders.repeated(chosen.folder or folders.photos(cache), place / "source", 1)
    variants = dict(variant.split("=", 1) for variant in chosen.variant)
    scores: dict[str, Scores] = {}
    for side in chosen.sizes:
        work = Work(source, place / f"target-{side}", (side,), peers, place / "config", encoder=Encoder())
        scores[str(side)] = _scores(source, _make(work, variants))
        _print(side, scores[str(side)], chosen.each)
    if chosen.json:
        chosen.json.write_text(json.dumps({"peers": peers.versions, "ssim": scores}, indent=1) + "\n")
    shutil.rmtree(place)
    return 0


def _rates(source: Path, side: int, peers: installed.Peers, to: Path) -> int:
    found = rates.curves((_reduced(path, side) for path in sorted(source.glob("*.jpg"))), peers)
    measured = {"peers": peers.versions, "side": side, "settings": rates.SETTINGS, "curves": found}
    (to / "quality.json").write_text(json.dumps(measured) + "\n")
    (to / "quality.svg").write_text(rates.svg(found))
    for format_, encoders in rates.at_equal_score(found).items():
        head, ratios = f"{format_}, bytes at {rates.EQUAL:g}", [f"{ratio:.3f}" for ratio in encoders.values()]
        print(aligned([(head, *encoders), ("", *ratios)]), end="\n\n", flush=True)
    for format_ in ("gif", "png"):
        rows = [(f"{format_}, bytes and score", *map(str, rates.SETTINGS[format_]))]
        for encoder, pictures in found[format_].items():
            rows.append((encoder, *(f"{size:,.0f} {score:.1f}" for size, score in rates.means(pictures))))
        print(aligned(rows), end="\n\n", flush=True)
    return 0


def _reduced(path: Path, side: int) -> Image.Image:
    image = reference(path)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image


def _print(side: int, scores: Scores, each: bool) -> None:
    names = list(scores)
    rows = [(f"{side} px", *names)]
    if each:
        rows += [(path, *(f"{scores[name][path]:.4f}" for name in names)) for path in scores[names[0]]]
    rows.append(("mean SSIM", *(f"{mean(scores[name].values()):.4f}" for name in names)))
    first = mean(scores[names[0]].values())
    rows.append(("pipeline less it", "", *(f"{first - mean(scores[name].values()):+.4f}" for name in names[1:])))
    print(aligned(rows), end="\n\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
