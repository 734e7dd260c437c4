"""Bytes and similarity of encoders from the very same pixels: ours, sharp's and the tools of the codecs.

A photograph is turned upright, converted to sRGB, made smaller by Pillow's Lanczos, and given to each encoder at some
settings. Each file is decoded again and scored by SSIMULACRA 2. The tools run one thread and the settings of their
makers, but for the effort, which is ours: WebP's method 4, AVIF's speed 6 and 4:4:4, JPEG XL's effort 7.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from statistics import mean

from PIL import Image

from pipeline.model.spec import Format, Spec
from pipeline.render.encoding.encode import encode, prepared
from pipeline.render.encoding.encode_input import EncodeInput
from pipeline.render.pixels.ssimulacra2 import Original
from scripts.benchmarks.chart import text
from scripts.benchmarks.figures import Json
from scripts.benchmarks.installed import Peers

SETTINGS = {  # qualities, or numbers of colours
    "jpeg": (60, 75, 86),
    "webp": (60, 76, 88),
    "avif": (50, 60, 70),
    "jxl": (60, 72, 84),
    "gif": (16, 256),
    "png": (16, 256),
}
EQUAL = 75.0  # the score at which bytes are compared
_ENCODE = Path(__file__).with_name("peers") / "encode.mjs"

Point = tuple[int, float]  # bytes, score
Curves = dict[str, dict[str, list[list[Point]]]]  # format -> encoder -> picture -> the points of `SETTINGS`


def curves(pictures: Iterable[Image.Image], peers: Peers) -> Curves:
    """The points of all encoders that this machine has."""
    found: Curves = {format_: {} for format_ in SETTINGS}
    for picture in pictures:
        original = Original(picture)
        with tempfile.TemporaryDirectory() as folder:
            for format_, encoder, content in _files(picture, Path(folder), peers):
                of_encoder = found[format_].setdefault(encoder, [])
                if not of_encoder or len(of_encoder[-1]) == len(SETTINGS[format_]):
                    of_encoder.append([])
                with Image.open(content) as image:
                    of_encoder[-1].append((content.stat().st_size, round(original.score(image.convert("RGB")), 2)))
    return found


def _files(picture: Image.Image, folder: Path, peers: Peers) -> Iterator[tuple[str, str, Path]]:
    """Format, encoder and file; those of one encoder come one after the other, in the order of its settings."""
    for format_, settings in SETTINGS.items():
        for setting in settings:
            yield format_, "pipeline", _ours(picture, folder / f"ours.{format_}", _spec(format_, setting), setting)
    for setting in SETTINGS["jpeg"]:
        spec = Spec("", format=Format.JPEG, optimize=True)
        yield "jpeg", "pipeline, optimize", _ours(picture, folder / "ours.jpeg", spec, setting)
    for (format_, encoder), tool in _TOOLS.items():
        if shutil.which(encoder):
            source, made = folder / f"source.{'ppm' if format_ == 'jpeg' else 'png'}", folder / f"made.{format_}"
            picture.save(source)
            for setting in SETTINGS[format_]:
                command = [encoder, *tool(setting, str(source), str(made))]
                subprocess.run(command, check=True, capture_output=True)
                yield format_, encoder, made
    if peers.node and peers.sharp:
        yield from _of_sharp(picture, folder, peers.node, peers.sharp)


def _spec(format_: str, setting: int) -> Spec:
    return Spec("", format=Format(format_), colors=setting if format_ in ("gif", "png") else None)


def _ours(picture: Image.Image, made: Path, spec: Spec, quality: int) -> Path:
    ready, _ = prepared(EncodeInput((picture,)), spec)
    descriptor, size = encode(ready, spec, quality)
    made.write_bytes(os.pread(descriptor, size, 0))
    os.close(descriptor)
    return made


_TOOLS: dict[tuple[str, str], Callable[[int, str, str], list[str]]] = {
    ("jpeg", "cjpeg"): lambda quality, source, made: [
        *("-quality", str(quality), "-optimize", "-progressive", "-outfile", made, source)
    ],
    ("webp", "cwebp"): lambda quality, source, made: ["-quiet", "-m", "4", "-q", str(quality), source, "-o", made],
    ("jxl", "cjxl"): lambda quality, source, made: [
        *("--quiet", "--num_threads=0", "-e", "7", "-q", str(quality), source, made)
    ],
    ("avif", "avifenc"): lambda quality, source, made: [  # 0.11 has no quality, but libaom's levels of 63 to 0
        *("-j", "1", "-s", "6", "-y", "444", "--min", "0", "--max", "63", "-a", "end-usage=q"),
        *("-a", f"cq-level={round((100 - quality) * 63 / 100)}", source, made),
    ],
}


def _of_sharp(picture: Image.Image, folder: Path, node: str, sharp: Path) -> Iterator[tuple[str, str, Path]]:
    source = folder / "source.png"
    picture.save(source)
    asked = [
        (format_, encoder, {"colours" if format_ in ("gif", "png") else "quality": setting, **options})
        for format_, encoder, options in (
            ("jpeg", "sharp", {"progressive": True}),
            ("jpeg", "sharp, mozjpeg", {"mozjpeg": True}),
            ("webp", "sharp", {}),
            ("avif", "sharp", {}),
            ("gif", "sharp", {}),
            ("png", "sharp", {"palette": True}),
        )
        for setting in SETTINGS[format_]
    ]
    named = [(f"{number}.{format_}", format_, options) for number, (format_, _, options) in enumerate(asked)]
    command = [node, str(_ENCODE), str(sharp), str(source), str(folder), json.dumps(named)]
    subprocess.run(command, check=True, capture_output=True)
    for (name, format_, _), (_, encoder, _) in zip(named, asked, strict=True):
        yield format_, encoder, folder / name


def at_equal_score(found: Curves) -> dict[str, dict[str, float]]:
    """By format and encoder: bytes at a score of `EQUAL` over those of `pipeline`, the geometric mean over pictures."""
    return {
        format_: {
            encoder: math.exp(mean(map(_ratio, of_encoder, encoders["pipeline"])))
            for encoder, of_encoder in encoders.items()
        }
        for format_, encoders in found.items()
        if format_ not in ("gif", "png")
    }


def _ratio(points: list[Point], ours: list[Point]) -> float:
    return _logarithm(points) - _logarithm(ours)


def _logarithm(points: list[Point]) -> float:
    """That of the bytes at `EQUAL`, on the line through the points on both sides of it, or else the nearest two."""
    places = sorted((score, math.log(size)) for size, score in points)
    pair = next((pair for pair in pairwise(places) if pair[1][0] >= EQUAL), places[-2:])
    (low, small), (high, large) = pair
    return small + (large - small) * (EQUAL - low) / (high - low) if high > low else small


_PANEL, _HEIGHT, _LEFT, _TOP, _GAP = 300, 190, 56, 44, 78  # pixels
_COLOURS = {"pipeline": "#1f7a4d", "pipeline, optimize": "#7cc242", "sharp": "#c2553a", "sharp, mozjpeg": "#e3a23b"}
_TOOL, _GRID = "#55606c", "#e3e6ea"


def svg(found: Json) -> str:
    """Mean score over mean bytes, a panel for each format."""
    formats = [(format_, encoders) for format_, encoders in found.items() if encoders]
    lines: list[str] = []
    for number, (format_, encoders) in enumerate(formats):
        lines += _panel(_LEFT + number % 3 * (_PANEL + _LEFT), _TOP + number // 3 * (_HEIGHT + _GAP), format_, encoders)
    width, height = 3 * (_PANEL + _LEFT) + 20, _TOP + -(-len(formats) // 3) * (_HEIGHT + _GAP)
    note = "mean SSIMULACRA 2 over mean kilobytes of a picture; higher and further left is better"
    lines.append(text(_LEFT, height - 8, note, size=11))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="system-ui, sans-serif" role="img" aria-label="{note}">\n'
        '<rect width="100%" height="100%" fill="#ffffff"/>\n' + "\n".join(lines) + "\n</svg>\n"
    )


def means(pictures: list[list[Point]]) -> list[tuple[float, float]]:
    """Mean bytes and mean score over the pictures, for each setting."""
    return [
        (mean(size for size, _ in points), mean(score for _, score in points)) for points in zip(*pictures, strict=True)
    ]


def _panel(x: int, y: int, format_: str, encoders: Json) -> Iterator[str]:
    lines = {encoder: means(pictures) for encoder, pictures in encoders.items()}
    every = [point for points in lines.values() for point in points]
    step = _step(max(size for size, _ in every) / 4000)
    most = 1000 * step * math.ceil(max(size for size, _ in every) / (1000 * step))
    low = 10 * math.floor(min(score for _, score in every) / 10)
    high = 10 * math.ceil(max(score for _, score in every) / 10)

    def place(size: float, score: float) -> tuple[float, float]:
        return x + size / most * _PANEL, y + (high - score) / (high - low) * _HEIGHT

    title = format_.upper() + (" of 16 and 256 colours" if format_ in ("gif", "png") else "")
    yield text(x, y - 16, title, bold=True)
    for score in range(low, high + 1, 10):
        _, at = place(0, score)
        yield f'<path d="M{x} {at:.1f}h{_PANEL}" stroke="{_GRID}"/>'
        yield text(x - 8, at + 4, str(score), anchor="end", size=11)
    for kilobytes in range(0, most // 1000 + 1, step):
        at, _ = place(1000 * kilobytes, low)
        yield text(at, y + _HEIGHT + 16, str(kilobytes), anchor="middle", size=11)
    for number, (encoder, points) in enumerate(lines.items()):
        colour, width = _COLOURS.get(encoder, _TOOL), 5 if encoder == "pipeline" else 1.6  # seen under what equals it
        places = [place(*point) for point in points]
        path = "L".join(f"{left:.1f} {top:.1f}" for left, top in places)
        yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
        yield from (f'<circle cx="{left:.1f}" cy="{top:.1f}" r="2.6" fill="{colour}"/>' for left, top in places)
        at = y + 18 + 15 * number
        yield f'<path d="M{x + 8} {at - 4}h16" stroke="{colour}" stroke-width="{max(3, width)}"/>'
        yield text(x + 30, at, encoder, size=11)


def _step(quarter: float) -> int:
    """A round number of kilobytes, at least `quarter`."""
    return next(step for step in (1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1_000_000) if step >= quarter)
