"""The ten lines that people write: Pillow in a pool of threads. Arguments: source, target, pixels, threads, extra."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from PIL import Image

source, target, side, threads = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
options: dict[str, Any] = dict.fromkeys(sys.argv[5:], True)  # optimize, progressive


def thumbnail(path: Path) -> None:
    """One picture."""
    with Image.open(path) as image:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        image.convert("RGB").save(target / (path.stem + ".jpg"), quality=80, **options)


with ThreadPoolExecutor(threads) as pool:
    list(pool.map(thumbnail, sorted(source.iterdir())))
