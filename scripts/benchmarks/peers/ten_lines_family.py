"""The same for a family: three widths, JPEG and WebP, one decode. Arguments: source, target, threads, extra."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from PIL import Image

source, target, threads = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
options: dict[str, Any] = dict.fromkeys(sys.argv[4:], True)  # optimize, progressive


def family(path: Path) -> None:
    """One picture."""
    with Image.open(path) as image:
        image.draft("RGB", (1280, 1280))
        for side in (1280, 640, 320):
            small = image.convert("RGB")
            small.thumbnail((side, side), Image.Resampling.LANCZOS)
            small.save(target / f"{path.stem}-{side}.jpg", quality=80, **options)
            small.save(target / f"{path.stem}-{side}.webp", quality=80)


with ThreadPoolExecutor(threads) as pool:
    list(pool.map(family, sorted(source.iterdir())))
