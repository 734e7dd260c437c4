"""The pictures that are measured: given by a folder or made here, repeated under other names till there are enough."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageOps

_VERSION = 1  # raised when the pictures made here change
_PHOTOS = ((4032, 3024), (3264, 2448), (2048, 1536), (1704, 2272), (3072, 2304), (1536, 2048)) * 2  # common cameras
_SMALL_PHOTOS = ((640, 480), (480, 640), (512, 384))
_DATASET = (500, 375)  # as in ImageNet
_ORIENTATIONS = (1, 1, 6, 1, 1, 8)
_LEVELS = 256


def photos(cache: Path, *, small: bool = False) -> Path:
    """A folder of photo-like JPEGs, 75 Mpx in all (`small`: 0.7 Mpx), made on the first call."""
    folder = cache / f"{'small' if small else 'photos'}-{_VERSION}"
    with _once(folder) as missing:
        for number, size in enumerate((_SMALL_PHOTOS if small else _PHOTOS) if missing else ()):
            exif = Image.Exif()
            exif[0x0112] = _ORIENTATIONS[number % len(_ORIENTATIONS)]
            name = f"photo-{number:02d}.jpg"
            _landscape(size, number).save(_unfinished(folder) / name, quality=92, subsampling="4:2:0", exif=exif)
    return folder


def tiny(cache: Path, count: int) -> Path:
    """A folder of `count` PNGs of 64x64, each with content of its own, made on the first call."""
    folder = cache / f"tiny-{count}-{_VERSION}"
    with _once(folder) as missing:
        large = _landscape((2048, 2048), 99) if missing else None
        for number in range(count if large else 0):
            assert large is not None
            left, top = number % 1984, number // 1984 * 7 % 1984
            large.crop((left, top, left + 64, top + 64)).save(_unfinished(folder) / f"tiny-{number:06d}.png")
    return folder


def dataset(cache: Path, originals: Path, count: int) -> Path:
    """A folder of `count` JPEGs of 500x375, each a cut-out of one of `originals`, made on the first call."""
    paths = _pictures(originals)
    folder = cache / f"dataset-{originals.name}-{len(paths)}-{count}-{_VERSION}"
    width, height = _DATASET
    with _once(folder) as missing:
        chance = random.Random(375)
        for number, path in enumerate(paths if missing else ()):
            with Image.open(path) as image:
                fitted = ImageOps.fit(image.convert("RGB"), (2 * width, 2 * height), Image.Resampling.LANCZOS)
            for at in range(number, count, len(paths)):
                left, top = chance.randrange(width), chance.randrange(height)
                cut = fitted.crop((left, top, left + width, top + height))
                cut.save(_unfinished(folder) / f"picture-{at:06d}.jpg", quality=92, subsampling="4:2:0")
    return folder


def repeated(folder: Path, into: Path, at_least: int) -> Path:
    """`into`, filled with as many whole copies of `folder`'s pictures as `at_least` asks for.

    Each copy of a JPEG has a comment of its own, so that knowing equal contents again gains nothing.
    """
    originals = _pictures(folder)
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    for number in range(max(1, -(-at_least // len(originals)))):
        for path in originals:
            content = path.read_bytes()
            if content.startswith(b"\xff\xd8"):
                comment = b"copy %06d" % number
                content = content[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + content[2:]
            (into / f"{number:04d}-{path.name}").write_bytes(content)
    return into


def _pictures(folder: Path) -> list[Path]:
    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"))
    if not pictures:
        raise FileNotFoundError(f"{folder} holds no pictures (.jpg, .png, .webp)")
    return pictures


def _unfinished(folder: Path) -> Path:
    return folder.with_name(folder.name + ".unfinished")


class _once:  # noqa: N801 - read as a word of the with statement
    """Makes `folder` appear whole: what happens inside goes to a folder beside it that is renamed at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> bool:
        if self._folder.is_dir():
            return False
        shutil.rmtree(_unfinished(self._folder), ignore_errors=True)
        _unfinished(self._folder).mkdir(parents=True)
        return True

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None and not self._folder.is_dir():
            _unfinished(self._folder).rename(self._folder)


def _landscape(size: tuple[int, int], seed: int) -> Image.Image:
    """A picture whose detail falls off with its fineness as a photograph's does, with a camera's grain on top."""
    chance = random.Random(seed)
    light = _field(size, chance, finest=1)
    blue, red = (_field(size, chance, finest=16).point(_gentle) for _ in range(2))
    return Image.merge("YCbCr", (light, blue, red)).convert("RGB")


_gentle = [int(128 + (level - 128) * 0.5) for level in range(_LEVELS)]  # colours of the outdoors, not of neon


def _field(size: tuple[int, int], chance: random.Random, finest: int) -> Image.Image:
    field = Image.new("L", (2, 2), 128)
    for octave, sides in enumerate(_octaves(size, finest)):
        noise = Image.frombytes("L", sides, chance.randbytes(sides[0] * sides[1]))
        field = Image.blend(field.resize(sides, Image.Resampling.BICUBIC), noise, max(0.03, 0.75 * 0.6**octave))
    return field.resize(size, Image.Resampling.BICUBIC)


def _octaves(size: tuple[int, int], finest: int) -> Iterator[tuple[int, int]]:
    """Sizes that double from a few pixels up to a `finest`-th of `size`."""
    shrink = 1
    while max(size) // shrink > 4:
        shrink *= 2
    while shrink >= finest:
        yield max(1, size[0] // shrink), max(1, size[1] // shrink)
        shrink //= 2
