"""A picture of 16 bits a channel comes out of every option as the same picture of 8 bits does."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from PIL import Image, ImageChops

from pipeline.model.rendering import Rendered
from pipeline.model.shape import Extract, Gravity, Length
from pipeline.model.spec import AS_SOURCE, Fit, Format, Profile, Spec
from pipeline.model.steps import Blur, Greyscale, Sharpen, Watermark
from pipeline.render.pixels import libvips
from tests.pictures import encoded, png16
from tests.render.drawing import answer_to

pytestmark = pytest.mark.skipif(not libvips.available(), reason="needs libvips")

SIZE = (48, 36)
_MOST = 3  # levels of 255 that two libraries, which round at other times, may differ by
HALF, TWO = Length(50, percent=True), Length(2)
SPECS = {
    "inside": Spec("a", 20, format=Format.PNG),
    "cover": Spec("a", 20, 20, Fit.COVER, format=Format.PNG),
    "contain": Spec("a", 20, 20, Fit.CONTAIN, background="#204080", format=Format.PNG),
    "contain, transparent": Spec("a", 20, 20, Fit.CONTAIN, background="#20408066", format=Format.PNG),
    "fill": Spec("a", 20, 20, Fit.FILL, format=Format.PNG),
    "outside": Spec("a", 20, 20, Fit.OUTSIDE, format=Format.PNG),
    "enlarge": Spec("a", 100, enlarge=True, format=Format.PNG),
    "as it is": Spec("a", format=Format.PNG),
    "pad": Spec("a", 20, pad=(TWO, TWO, TWO, TWO), background="#ff8000", format=Format.PNG),
    "extract": Spec("a", 20, extract=Extract(HALF, Length(0), HALF, HALF), format=Format.PNG),
    "rotate": Spec("a", 20, rotate=90, format=Format.PNG),
    "trim": Spec("a", 20, trim=10, format=Format.PNG),
    "aspect, dpr": Spec("a", 10, None, Fit.COVER, aspect=(2, 1), dpr=1.5, format=Format.PNG),
    "attention": Spec("a", 20, 20, Fit.COVER, gravity=Gravity.ATTENTION, format=Format.PNG),
    "entropy": Spec("a", 20, 20, Fit.COVER, gravity=Gravity.ENTROPY, format=Format.PNG),
    "focal point": Spec("a", 20, 20, Fit.COVER, focal_point=(1.0, 0.0), format=Format.PNG),
    "linear": Spec("a", 20, linear=True, format=Format.PNG),
    "linear, enlarge": Spec("a", 100, linear=True, enlarge=True, format=Format.PNG),
    "display-p3": Spec("a", 20, profile=Profile.DISPLAY_P3, format=Format.PNG),
    "adobe-rgb": Spec("a", 20, profile=Profile.ADOBE_RGB, format=Format.PNG),
    "profile: keep": Spec("a", 20, profile=Profile.KEEP, format=Format.PNG),
}
AT_8_BITS = {
    "sharpen": Spec("a", 20, steps=(Sharpen(),), format=Format.PNG),
    "blur": Spec("a", 20, steps=(Blur(),), format=Format.PNG),
    "greyscale": Spec("a", 20, steps=(Greyscale(),), format=Format.PNG),
    "watermark": Spec("a", 40, steps=(Watermark(text="Ada"),), format=Format.PNG),
    "webp": Spec("a", 20, format=Format.WEBP, lossless=True),
}


def levels(mode: str) -> list[int]:
    """A soft picture of 8 bits, sample by sample; its alpha is 0 to the left."""
    channels = len(mode)
    made = []
    for y in range(SIZE[1]):
        for x in range(SIZE[0]):
            pixel = [x * 5, y * 7, 255 - (x + y) * 3, min(255, x * 12)]
            made += [pixel[0], pixel[3]] if mode == "LA" else pixel[:channels]
    return made


def made(content: bytes, spec: Spec) -> Image.Image:
    answer, files = answer_to(content, spec)
    (rendition,) = answer.renditions
    assert isinstance(rendition, Rendered), rendition
    image: Image.Image = Image.open(io.BytesIO(files["a"]))
    if image.mode.startswith("I;16"):  # which Pillow would clip
        image = image.convert("I").point(lambda level: level / 257).convert("L")
    return image.convert("RGBA")


def apart(image: Image.Image, other: Image.Image) -> int:
    """The largest difference of two pictures on black and on white, in levels."""
    most = 0
    for ground in ("black", "white"):
        under = Image.new("RGBA", image.size, ground)
        shown = (Image.alpha_composite(under, each).convert("RGB") for each in (image, other))
        most = max(most, *ImageChops.difference(*shown).tobytes())
    return most


@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_it_comes_out_as_the_same_of_8_bits(mode: str) -> None:
    stored = levels(mode)
    shallow = encoded(Image.frombytes(mode, SIZE, bytes(stored)), "PNG")
    deep = png16(SIZE, mode, [level * 257 for level in stored])
    for name, spec in (SPECS | AT_8_BITS).items():
        wanted = made(shallow, spec)
        for each in (spec, replace(spec, depth=AS_SOURCE)) if name in SPECS else (spec,):
            got = made(deep, each)
            assert got.size == wanted.size
            assert apart(got, wanted) <= _MOST, (name, each.depth)
