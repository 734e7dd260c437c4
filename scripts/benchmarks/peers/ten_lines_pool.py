"""The ten lines for a data set: Pillow in a pool of processes. Arguments: source, target, pixels, processes, extra."""

import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from PIL import Image, ImageOps


def square(path: Path, target: Path, side: int, options: dict[str, bool]) -> None:
    """One picture."""
    with Image.open(path) as image:
        cut = ImageOps.fit(image, (side, side), Image.Resampling.LANCZOS)
        cut.convert("RGB").save(target / (path.stem + ".jpg"), quality=80, **options)


if __name__ == "__main__":
    source, target, side, processes = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    work = partial(square, target=target, side=side, options=dict.fromkeys(sys.argv[5:], True))
    with ProcessPoolExecutor(processes) as pool:
        list(pool.map(work, sorted(source.iterdir()), chunksize=16))
