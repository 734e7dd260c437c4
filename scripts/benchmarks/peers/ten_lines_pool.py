"""The ten lines in a pool of processes. Arguments: cut or fit, source, target, pixels, processes, extra."""

import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from PIL import Image, ImageOps


def make(path: Path, how: str, target: Path, side: int, options: dict[str, bool]) -> None:
    """One picture."""
    with Image.open(path) as image:
        if how == "cut":
            small = ImageOps.fit(image, (side, side), Image.Resampling.LANCZOS)
        else:
            image.thumbnail((side, side), Image.Resampling.LANCZOS)
            small = image
        small.convert("RGB").save(target / (path.stem + ".jpg"), quality=80, **options)


if __name__ == "__main__":
    how, source, target, side, processes = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), *map(int, sys.argv[4:6])
    work = partial(make, how=how, target=target, side=side, options=dict.fromkeys(sys.argv[6:], True))
    with ProcessPoolExecutor(processes) as pool:
        list(pool.map(work, sorted(source.iterdir()), chunksize=16 if how == "cut" else 4))
