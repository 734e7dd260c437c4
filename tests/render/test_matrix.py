"""Every kind of source to every kind of target: known colours in known places, worked out without our code.

The picture is four fields; what is compared lies well inside of them, and where they lie in a rendition follows from
the definitions of the fits, written down here once more.
"""

from __future__ import annotations

import functools
import io
import itertools
import math
import struct
from collections.abc import Sequence

import pytest
from PIL import Image

from pipeline.model.rendering import Rendered
from pipeline.model.spec import Fit, Format, Spec
from pipeline.render.pixels import libvips
from tests.pictures import BLUE, GREEN, RED, WHITE, WRITTEN, as_stored, encoded, exif, near, pixel
from tests.render.drawing import answer_to

FIELDS = (RED, GREEN, BLUE, WHITE)  # top left, top right, bottom left, bottom right
LANDSCAPE, PORTRAIT = (120, 80), (80, 120)
BOX = (48, 60)
BACKGROUND = (255, 255, 255)
CLEAR = 0.25  # how much of a transparent picture is, at its right

Colour = tuple[int, ...]


def picture(size: tuple[int, int]) -> Image.Image:
    image = Image.new("RGB", size, RED)
    width, height = size
    image.paste(GREEN, (width // 2, 0, width, height))
    image.paste(BLUE, (0, height // 2, width, height))
    image.paste(WHITE, (width // 2, height // 2, width, height))
    return image


def grey(colour: Colour) -> int:
    """ITU-R 601, as every decoder of these formats has it."""
    return round((299 * colour[0] + 587 * colour[1] + 114 * colour[2]) / 1000)


def greys() -> tuple[Colour, ...]:
    return tuple((grey(colour),) * 3 for colour in FIELDS)


# Each mode: how it is made of the RGB picture, and what its fields are in sRGB.
def as_mode(image: Image.Image, mode: str) -> Image.Image:
    match mode:
        case "P":
            return image.quantize(8)
        case "PA" | "RGBA" | "LA":
            made = image.convert("RGBA")
            made.paste((0, 255, 255, 0), (round(image.width * (1 - CLEAR)), 0, *image.size))
            return made.convert(mode) if mode != "PA" else made.quantize(8, Image.Quantize.FASTOCTREE)
        case "I;16":
            levels = [level * 257 for level in image.convert("L").tobytes()]
            return Image.frombytes("I;16", image.size, struct.pack(f"<{len(levels)}H", *levels))
        case "F":
            light = [level / 255 for level in image.convert("L").tobytes()]
            return Image.frombytes("F", image.size, struct.pack(f"<{len(light)}f", *light))
        case "1":
            return image.convert("L").point([0] * 128 + [255] * 128).convert("1")
    return image.convert(mode)


def fields(mode: str) -> tuple[Colour, ...]:
    match mode:
        case "L" | "LA" | "I;16" | "F":
            return greys()
        case "1":
            return tuple((255 if grey(colour) >= 128 else 0,) * 3 for colour in FIELDS)
        case "CMYK":  # without black ink, which is how Pillow separates
            return FIELDS
    return FIELDS


SOURCES = {
    "JPEG": ("L", "RGB", "CMYK"),
    "PNG": ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16"),
    "WEBP": ("RGB", "RGBA"),
    "AVIF": ("L", "RGB", "RGBA"),
    "GIF": ("P",),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"),
    "BMP": ("1", "L", "P", "RGB"),
    "PPM": ("1", "L", "RGB"),
}
ORIENTED = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF")
CASES = [(kind, mode) for kind, modes in SOURCES.items() for mode in modes]


@pytest.fixture(autouse=True)
def _inks_by_the_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    """By which Pillow separates the fields: a press has not all of their colours."""
    monkeypatch.setattr(libvips, "cmyk_profile", lambda: None)


@functools.cache
def source(kind: str, mode: str, size: tuple[int, int], orientation: int | None) -> bytes:
    """The picture of `size` upright, as a camera with that orientation would have stored it. None: unsaid."""
    image = as_mode(as_stored(picture(size), orientation or 1), mode)
    if mode in ("RGBA", "LA", "PA") and orientation not in (None, 0, 1):
        image = as_stored(as_mode(picture(size), "RGBA"), orientation)
        image = image if mode == "RGBA" else image.convert("LA") if mode == "LA" else image.quantize(8, 2)
    options: dict[str, object] = {"quality": 95} if kind in ("JPEG", "WEBP", "AVIF") else {}
    if orientation is not None:
        tags = {0x0112: orientation}
        options |= {"tiffinfo": tags} if kind == "TIFF" else {"exif": exif(tags)}
    return encoded(image, kind, **options)


def arranged(fit: Fit, size: tuple[int, int]) -> tuple[tuple[int, int], tuple[float, float, float, float]]:
    """The size of the rendition for `BOX`, and where the whole picture lies in it: left, top, width, height."""
    width, height = size
    low, high = sorted((BOX[0] / width, BOX[1] / height))

    def whole(length: float) -> int:
        return math.floor(length + 0.5)

    match fit:
        case Fit.INSIDE:
            return (whole(width * low), whole(height * low)), (0, 0, width * low, height * low)
        case Fit.OUTSIDE:
            return (whole(width * high), whole(height * high)), (0, 0, width * high, height * high)
        case Fit.FILL:
            return BOX, (0, 0, *BOX)
    factor = low if fit is Fit.CONTAIN else high
    across, down = width * factor, height * factor
    return BOX, ((BOX[0] - across) / 2, (BOX[1] - down) / 2, across, down)


def check(made: Image.Image, fit: Fit, size: tuple[int, int], mode: str, target: Format, tolerance: int) -> None:
    wanted, (left, top, width, height) = arranged(fit, size)
    assert made.size == wanted
    colours = made.convert("RGBA")
    spots = ((0.25, 0.25), (0.62, 0.25), (0.25, 0.75), (0.62, 0.75))
    for (x, y), colour in zip(spots, fields(mode), strict=True):
        place = (round(left + x * width), round(top + y * height))
        if 2 <= place[0] < wanted[0] - 2 and 2 <= place[1] < wanted[1] - 2:  # else it is cropped away
            got = pixel(colours, place)
            assert near(got, (*colour, 255), tolerance), (place, got, colour)
    if mode in ("RGBA", "LA", "PA"):
        place = (round(left + 0.88 * width), round(top + 0.25 * height))
        if place[0] < wanted[0] - 2:
            got = pixel(colours, place)
            through = fit is Fit.CONTAIN or target is Format.JPEG  # the background shows
            assert near(got, (*BACKGROUND, 255), 6) if through else got[3] <= 6, (place, got)
    if fit is Fit.CONTAIN:
        place = (2, wanted[1] // 2) if left > 4 else (wanted[0] // 2, 2)
        if max(left, top) > 4:
            # a palette may have no entry to spare for a background that few pixels have
            assert near(pixel(colours, place), (*BACKGROUND, 255), 10 if target is Format.GIF else 6)


def run(
    kind: str, mode: str, size: tuple[int, int], orientation: int | None, fits: list[Fit], targets: Sequence[Format]
) -> None:
    pairs = list(itertools.product(fits, targets))
    specs = [
        Spec(f"{fit}-{target}", *BOX, fit, format=target, lossless=target is Format.JXL)  # else it spreads at edges
        for fit, target in pairs
    ]
    answer, files = answer_to(source(kind, mode, size, orientation), *specs)
    for spec, rendition in zip(specs, answer.renditions, strict=True):
        assert isinstance(rendition, Rendered), rendition
        with Image.open(io.BytesIO(files[spec.name])) as made:
            assert made.format == spec.format.name
            tolerance = 6 if spec.format in (Format.PNG, Format.TIFF) else 12
            if kind in ("JPEG", "AVIF", "WEBP") or mode in ("P", "PA"):
                tolerance += 6
            check(made, spec.fit, size, mode, spec.format, tolerance)


@pytest.mark.parametrize(("kind", "mode"), CASES)
@pytest.mark.parametrize("size", [LANDSCAPE, PORTRAIT])
def test_every_mode_of_every_format_in_every_fit_to_every_format(kind: str, mode: str, size: tuple[int, int]) -> None:
    run(kind, mode, size, None, list(Fit), WRITTEN)


@pytest.mark.parametrize("kind", ORIENTED)
@pytest.mark.parametrize("orientation", [None, *range(9)])
@pytest.mark.parametrize("size", [LANDSCAPE, PORTRAIT])
def test_all_orientations_stand_upright_in_every_target_format(
    kind: str, orientation: int | None, size: tuple[int, int]
) -> None:
    run(kind, "RGB", size, orientation, [Fit.INSIDE, Fit.COVER], WRITTEN)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "mode"), [case for case in CASES if case[0] in ORIENTED])
@pytest.mark.parametrize("orientation", [None, *range(9)])
@pytest.mark.parametrize("size", [LANDSCAPE, PORTRAIT])
def test_the_whole_matrix(kind: str, mode: str, orientation: int | None, size: tuple[int, int]) -> None:
    run(kind, mode, size, orientation, list(Fit), WRITTEN)
