#!/usr/bin/env python3
"""Holds the renderer's estimate of memory against what a child really took, over formats, modes, sizes and targets.

Usage: .venv/bin/python -m scripts.check_estimate [--quick] [--only TEXT]

Each line is a picture through a fresh child: what a run would reserve for it (the estimate from its header, and its own
bytes, which the child maps), the peak of resident memory above that of the idle child, and their ratio. Exit status 1
when too little would be reserved for a picture that takes 16 MiB or more.
"""

from __future__ import annotations

import argparse
import io
import os
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from PIL import Image

from pipeline.errors import PictureError
from pipeline.model.rendering import RenderTask
from pipeline.model.shape import Length, Resampler
from pipeline.model.source import Header
from pipeline.model.spec import AS_SOURCE, Format, Limits, Spec
from pipeline.model.steps import Sharpen
from pipeline.workers.child_pool import ChildPool
from pipeline.workers.exchange import Bounds, whole
from pipeline.workers.token import Token

_MIB = 2**20
_SMALL = 16 * _MIB  # bytes; below, buffers and chance weigh more than the picture
_LIMITS = Limits(pixels=400_000_000, seconds=300, memory=4 * 2**30)
_MODES = {
    "JPEG": "L RGB CMYK",
    "PNG": "1 L P LA RGB RGBA I;16",
    "WEBP": "RGB RGBA",
    "AVIF": "RGB RGBA",
    "GIF": "L P",
    "TIFF": "1 L P RGB RGBA CMYK F I;16",
    "BMP": "L P RGB",
    "PPM": "L RGB",
}
# Of each pass of an interlaced PNG: the first column and row, and the steps between them.
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_OPTIONS: dict[str, dict[str, object]] = {
    "PNG": {"compress_level": 1},
    "WEBP": {"method": 0},
    "AVIF": {"speed": 10},
    "TIFF": {"compression": "tiff_lzw"},
}


@dataclass(frozen=True, slots=True)
class Case:
    """One picture and what is made of it, and what else is in the config."""

    name: str
    make: Callable[[], bytes]
    specs: tuple[Spec, ...]
    beside: tuple[Spec, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """Bytes."""

    reserved: int
    taken: int


def measure(content: bytes, specs: tuple[Spec, ...], beside: tuple[Spec, ...] = ()) -> Measured | None:
    """What is reserved for one picture and what it takes, in a fresh child; None where it is refused."""
    with ChildPool("pipeline.render.line:render", "pipeline.render.line:warm_up", 1) as pool:
        footing = _ask(pool, _saved(Image.new("RGB", (8, 8)), "PPM"), (Spec("warm", width=4),))
        asked = _ask(pool, content, specs, beside)
        if footing is None or asked is None:
            return None
        estimate, peak = asked
        return Measured(estimate + len(content), peak - footing[1])


def _ask(
    pool: ChildPool, content: bytes, specs: tuple[Spec, ...], beside: tuple[Spec, ...] = ()
) -> tuple[int, int] | None:
    descriptor = os.memfd_create("picture")
    try:
        os.write(descriptor, content)
        task, bounds = RenderTask(specs, _LIMITS, beside=beside), Bounds(_LIMITS.seconds, _LIMITS.memory, len(specs))
        with pool.ask(whole(descriptor), task, bounds, Token()) as exchange:
            header = exchange.first()
            reply, meter = exchange.last()
        for made in reply.descriptors:
            os.close(made)
        return (header.estimate, meter.peak_memory or 0) if isinstance(header, Header) else None
    except PictureError as error:
        print(f"refused: {error}")
        return None
    finally:
        os.close(descriptor)


def cases(*, quick: bool) -> Iterator[Case]:
    """All that is measured, in order."""
    sizes = [(3000, 2000)] if quick else [(1200, 800), (4000, 3000), (6000, 4500)]
    thumb = Spec("thumb", width=320, height=320)
    for size in sizes:
        for name, modes in _MODES.items():
            for mode in modes.split():
                yield Case(f"{name} {mode} {size[0]}x{size[1]}", _still(name, mode, size), (thumb,))
        yield Case(f"JPEG progressive {size[0]}x{size[1]}", _still("JPEG", "RGB", size, progressive=True), (thumb,))
        yield Case(f"JPEG 4:4:4 {size[0]}x{size[1]}", _still("JPEG", "RGB", size, subsampling="4:4:4"), (thumb,))
    for format_ in Format:
        for width, height in [(3000, 2000)] if quick else [(3000, 2000), (500, 500), (40, 20_000)]:
            spec = Spec("large", width=width, format=format_)
            yield Case(f"to {format_} {width}x{height}", _still("JPEG", "RGB", (width, height)), (spec,))
    for changes in ({}, {"lossless": True}, {"effort": 9}):
        jxl = replace(Spec("alpha", width=1000, format=Format.JXL), **changes)
        yield Case(f"to jxl with alpha {changes}", _still("PNG", "RGBA", (1000, 800)), (jxl,))
    for name in ("GIF", "PNG", "WEBP"):
        for format_ in (Format.GIF, Format.PNG, Format.WEBP, Format.AVIF, Format.JPEG):
            for count in (4,) if quick else (2, 20, 60):
                spec = Spec("moving", width=500, format=format_)
                yield Case(f"{name} of {count} frames to {format_}", _moving(name, (600, 400), count), (spec,))
    yield from _deep((2000, 1500) if quick else (4000, 3000))
    yield from _families((3000, 2000) if quick else (6000, 4000))


def _deep(size: tuple[int, int]) -> Iterator[Case]:
    kept = tuple(
        Spec(f"kept {format_}", size[0], format=format_, depth=AS_SOURCE) for format_ in (Format.PNG, Format.TIFF)
    )
    small = (Spec("thumb", 320, 320), Spec("half", size[0] // 2, format=Format.AVIF, depth=AS_SOURCE))
    for interlaced, channels in ((False, 1), (False, 3), (False, 4), (True, 1), (True, 4)):
        make, name = (
            _sixteen(channels, size, interlaced=interlaced),
            f"PNG of 16 bits, {channels} channels {size[0]}x{size[1]}",
        )
        name += " interlaced" * interlaced
        for spec in (*kept, *small):
            yield Case(f"{name} to {spec.name}", make, (spec,))
        yield Case(f"{name} to all", make, (*kept, *small))


def _sixteen(channels: int, size: tuple[int, int], *, interlaced: bool) -> Callable[[], bytes]:
    def make() -> bytes:
        width, height = size
        noise = _noise((width, 2 * height)).convert("L").resize((2 * channels * width, height)).tobytes()
        pixels, rows = io.BytesIO(noise), bytearray()
        for left, top, across, down in _ADAM7 if interlaced else ((0, 0, 1, 1),):
            row = 2 * channels * len(range(left, width, across))
            for _ in range(top, height, down):
                rows += b"\0" + pixels.read(row)
        header = struct.pack(">LLBBBBB", *size, 16, {1: 0, 3: 2, 4: 6}[channels], 0, 0, interlaced)
        parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
        chunks = (
            struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))
            for kind, content in parts
        )
        return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)

    return make


def _families(size: tuple[int, int]) -> Iterator[Case]:
    for resampler in (Resampler.AUTO, Resampler.PILLOW):
        family = tuple(Spec(f"{share} %", size[0] * share // 100, resampler=resampler) for share in (95, 90, 40, 10))
        worked = tuple(replace(spec, pad=(Length(20),) * 4, steps=(Sharpen(),)) for spec in family)
        for mode in ("RGB", "RGBA", "I;16"):
            make, name = _still("PNG", mode, size), f"{mode} {size[0]}x{size[1]} family by {resampler}:"
            yield Case(f"{name} all", make, family)
            yield Case(f"{name} 10 % only", make, family[-1:], family[:-1])
            yield Case(f"{name} with steps", make, worked)
    webp = Spec("webp", size[0], format=Format.WEBP)
    for spec in (webp, replace(webp, lossless=True)):
        name = f"RGBA {size[0]}x{size[1]} to webp{' lossless' * spec.lossless}"
        yield Case(name, _still("PNG", "RGBA", size), (spec,))
    width, height = size[0] // 4, size[1] // 4  # 6 Mpx of noise take it 100 s
    slow = replace(webp, width=width, effort=6)
    yield Case(f"RGBA {width}x{height} to webp slowly", _still("PNG", "RGBA", (width, height)), (slow,))


def _still(name: str, mode: str, size: tuple[int, int], **options: object) -> Callable[[], bytes]:
    def make() -> bytes:
        picture = _noise(size)
        kept = picture.convert("I").convert("I;16") if mode == "I;16" else picture.convert(mode)
        if mode in ("LA", "RGBA"):
            kept.putalpha(picture.convert("L"))
        return _saved(kept, name, **{**_OPTIONS.get(name, {}), **options})

    return make


def _moving(name: str, size: tuple[int, int], count: int) -> Callable[[], bytes]:
    def make() -> bytes:
        first = _noise(size)
        rest = [first.rotate(3 * number) for number in range(1, count)]
        return _saved(first, name, save_all=True, append_images=rest, duration=50)

    return make


def _noise(size: tuple[int, int]) -> Image.Image:
    """Between the extremes: not flat, not incompressible."""
    small = Image.effect_noise((max(1, size[0] // 4), max(1, size[1] // 4)), 60)
    return small.resize(size, Image.Resampling.BICUBIC).convert("RGB")


def _saved(picture: Image.Image, name: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, name, **options)
    return out.getvalue()


def main() -> int:
    """The table, and whether an estimate was too low."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one size and few frames")
    parser.add_argument("--only", default="", metavar="TEXT", help="pictures whose name contains it")
    options = parser.parse_args()
    low = 0
    print(f"{'picture':<45}{'reserved MiB':>13}{'taken MiB':>11}{'ratio':>7}")
    for case in cases(quick=options.quick):
        if options.only not in case.name:
            continue
        measured = measure(case.make(), case.specs, case.beside)
        if measured is None:
            continue
        too_low = measured.reserved < measured.taken and measured.taken >= _SMALL
        low += too_low
        ratio = measured.reserved / max(1, measured.taken)
        line = f"{case.name:<45}{measured.reserved / _MIB:>13.1f}{measured.taken / _MIB:>11.1f}{ratio:>7.2f}"
        print(line + (" too low" if too_low else ""), flush=True)
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
