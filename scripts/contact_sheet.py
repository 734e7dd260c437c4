#!/usr/bin/env python3
"""Sheets to look at: every kind of source (rows) through every operation (columns).

Run as `.venv/bin/python scripts/contact_sheet.py [FOLDER]`. Takes the pictures of `sample_data/` and others made here
in modes that those have not, or the pictures of a FOLDER. Writes `build/contact-*.png`. Each cell is what `pipeline`
made, opened again as a viewer would; a chess board shines through where it is transparent, red words say why there is
nothing.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from pipeline.model.rendering import NotRendered, RenderAnswer, RenderTask
from pipeline.model.shape import Extract, Gravity, Length, Resampler
from pipeline.model.spec import Fit, Format, Limits, Spec
from pipeline.model.steps import Asset, Blur, Greyscale, Sharpen, Watermark
from pipeline.render import memory
from pipeline.render.line import render
from pipeline.workers.exchange import whole

ROOT = Path(__file__).resolve().parent.parent
CELL, LABEL, ROWS = 150, 16, 12
PERCENT = {value: Length(value, percent=True) for value in (3, 5, 10, 25, 50, 60)}


def _logo() -> Asset:
    image = Image.new("RGBA", (120, 60), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((1, 1, 118, 58), 14, fill=(200, 30, 60, 220), outline=(255, 255, 255, 255), width=4)
    draw.text((22, 12), "LOGO", fill=(255, 255, 255, 255), font=ImageFont.load_default(30))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return Asset.of("logo.png", buffer.getvalue())


def _column(title: str, **changes: object) -> Spec:
    return Spec(**{"name": title, "width": 140, "height": 140, "format": Format.PNG} | changes)  # type: ignore[arg-type]


COLUMNS = (
    _column("inside"),
    _column("inside, jpeg", format=Format.JPEG),
    _column("inside, gif", format=Format.GIF),
    _column("pillow", resampler=Resampler.PILLOW),
    _column("linear", linear=True),
    _column("cover 1:2", width=70, fit=Fit.COVER),
    _column("cover north-west", width=70, fit=Fit.COVER, gravity=Gravity.NORTH_WEST),
    _column("attention", width=70, fit=Fit.COVER, gravity=Gravity.ATTENTION),
    _column("entropy", width=70, fit=Fit.COVER, gravity=Gravity.ENTROPY),
    _column("focal .2 .2", width=70, fit=Fit.COVER, focal_point=(0.2, 0.2)),
    _column("contain, pad", width=120, height=120, fit=Fit.CONTAIN, background="#88bbee", pad=(PERCENT[5],) * 4),
    _column("contain, clear", fit=Fit.CONTAIN, background="#00000000", gravity=Gravity.SOUTH_EAST),
    _column("fill 2:1", height=70, fit=Fit.FILL),
    _column("outside", width=100, height=100, fit=Fit.OUTSIDE),
    _column("aspect 3:4", width=100, height=None, aspect=(3, 4), fit=Fit.COVER),
    _column("rotate 90", rotate=90),
    _column("extract", extract=Extract(PERCENT[25], PERCENT[25], PERCENT[50], PERCENT[50])),
    _column("extract, rotate", extract=Extract(PERCENT[50], PERCENT[50], PERCENT[50], PERCENT[50]), rotate=270),
    _column("trim", trim=12),
    _column("sharpen", steps=(Sharpen(amount=150),)),
    _column("blur", steps=(Blur(4),)),
    _column("greyscale", steps=(Greyscale(),)),
    _column("text", steps=(Watermark(text="© Ada\nLovelace", scale=0.6, gravity=Gravity.SOUTH, opacity=0.8),)),
    _column("logo", steps=(Watermark(picture=_logo(), scale=0.4, gravity=Gravity.NORTH_EAST),)),
)


def _made_here() -> Iterator[tuple[str, bytes]]:
    """Kinds that `sample_data/` does not hold."""
    with Image.open(ROOT / "sample_data" / "made" / "bubbles, alpha.png") as opened:
        clear = opened.convert("RGBA").resize((600, 400))
    with Image.open(ROOT / "sample_data" / "travel" / "balloons.jpg") as opened:
        photo = opened.convert("RGB").resize((600, 400))
    framed = Image.new("RGB", (760, 520), (248, 247, 245))
    framed.paste(photo, (100, 40))
    yield "LA PNG", _saved(clear.convert("LA"), "PNG")
    yield "palette, clear PNG", _saved(clear.quantize(64, Image.Quantize.FASTOCTREE), "PNG")
    yield "clear WebP", _saved(clear, "WEBP")
    yield "clear AVIF", _saved(clear, "AVIF")
    yield "1 bit PNG", _saved(photo.convert("1"), "PNG")
    yield "palette GIF", _saved(photo.quantize(64), "GIF")
    yield "float TIFF", _saved(photo.convert("L").convert("F").point(lambda level: level / 255), "TIFF")
    yield "CMYK TIFF, no profile", _saved(photo.convert("CMYK"), "TIFF")
    yield "framed JPEG", _saved(framed, "JPEG", quality=90)
    yield "BMP", _saved(photo, "BMP")
    yield "tiny PNG", _saved(photo.resize((30, 20)), "PNG")
    yield "thin PNG", _saved(photo.resize((600, 3)), "PNG")


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _sources(folder: Path | None) -> Iterator[tuple[str, bytes]]:
    for path in sorted((folder or ROOT / "sample_data").rglob("*")):
        if path.is_file():
            yield path.name, path.read_bytes()
    if folder is None:
        yield from _made_here()


def _rendered(content: bytes) -> list[Image.Image | str]:
    """A picture for each column, or why there is none."""
    descriptor = memory.create()
    try:
        os.write(descriptor, content)
        *_, (answer, made) = render(whole(descriptor), RenderTask(COLUMNS, Limits()))
    except Exception as error:  # noqa: BLE001 - to be seen on the sheet
        return [str(error)] * len(COLUMNS)
    finally:
        os.close(descriptor)
    files = []
    for descriptor in made:
        with os.fdopen(descriptor, "rb") as file:
            files.append(file.read())
    assert isinstance(answer, RenderAnswer)
    return [
        str(rendition.error)
        if isinstance(rendition, NotRendered)
        else Image.open(io.BytesIO(files[rendition.index])).convert("RGBA")
        for rendition in answer.renditions
    ]


def _sheet(rows: list[tuple[str, bytes]]) -> Image.Image:
    width, height = CELL * len(COLUMNS), (CELL + LABEL) * len(rows) + LABEL
    sheet = Image.new("RGB", (width, height), (40, 40, 40))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for column, spec in enumerate(COLUMNS):
        draw.text((column * CELL + 4, 1), spec.name, fill=(255, 220, 120), font=font)
    for row, (name, content) in enumerate(rows):
        top = LABEL + row * (CELL + LABEL)
        draw.text((4, top + 1), unicodedata.normalize("NFC", name), fill=(160, 220, 255), font=font)
        for column, made in enumerate(_rendered(content)):
            _put(sheet, made, (column * CELL + 4, top + LABEL + 1))
    return sheet


def _put(sheet: Image.Image, made: Image.Image | str, place: tuple[int, int]) -> None:
    if isinstance(made, str):
        lines = [made[start : start + 22] for start in range(0, len(made), 22)]
        font = ImageFont.load_default(11)
        ImageDraw.Draw(sheet).multiline_text(place, "\n".join(lines[:8]), fill=(255, 90, 90), font=font)
        return
    board = Image.new("RGBA", made.size, (235, 235, 235, 255))
    draw = ImageDraw.Draw(board)
    for x in range(0, made.width, 8):
        for y in range(x % 16, made.height, 16):
            draw.rectangle((x, y, x + 7, y + 7), fill=(200, 200, 200, 255))
    board.alpha_composite(made)
    shown = board.convert("RGB")
    sheet.paste(shown.crop((0, 0, min(shown.width, CELL - 6), min(shown.height, CELL - 2))), place)


def main(words: list[str] | None = None) -> int:
    """Make the sheets and say where they are."""
    parser = argparse.ArgumentParser(description="Sheets of every kind of source through every operation.")
    parser.add_argument("folder", type=Path, nargs="?", help="pictures of yours, in place of sample_data")
    parser.add_argument("--output", type=Path, default=ROOT / "build", metavar="FOLDER")
    chosen = parser.parse_args(words)
    chosen.output.mkdir(parents=True, exist_ok=True)
    rows = list(_sources(chosen.folder))
    for number, start in enumerate(range(0, len(rows), ROWS), 1):
        path = chosen.output / f"contact-{number}.png"
        _sheet(rows[start : start + ROWS]).save(path)
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
