"""Scaled decoding alone, the least that any program has to do. Arguments: source, pixels, threads."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

source, side, threads = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])


def decode(path: Path) -> None:
    """One picture."""
    with Image.open(path) as image:
        image.draft("RGB", (side, side))
        image.load()


with ThreadPoolExecutor(threads) as pool:
    list(pool.map(decode, sorted(source.iterdir())))
