"""`hdr: keep` beside all other options: brightness is kept, and is cropped and turned with its picture."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from PIL import Image

from pipeline.model.rendering import Rendered
from pipeline.model.shape import Extract, Gravity, Length, Resampler
from pipeline.model.spec import AS_SOURCE, Fit, Format, Hdr, Metadata, Profile, Similarity, Spec, Subsampling, Verify
from pipeline.render.encoding.gain_map import encoded as gain_map
from pipeline.render.encoding.gain_map import with_gain
from pipeline.render.encoding.inspect import inspect
from pipeline.render.formats.gain_map import Numbers, read
from pipeline.render.pixels import libvips
from tests.pictures import encoded, exif
from tests.render.drawing import answer_to
from tests.render.encoding.test_nclx import codes
from tests.render.pixels.test_tone_mapping import stated

pytestmark = pytest.mark.skipif(not libvips.available(), reason="needs libvips")

NUMBERS = Numbers((0.0,) * 3, (2.0,) * 3, (1.0,) * 3, (0.0,) * 3, (0.0,) * 3, (0.0, 2.0))
HALF = Length(50, percent=True)
PLACED = {
    "cover": Spec("a", 40, 40, Fit.COVER),
    "fill": Spec("a", 40, 40, Fit.FILL),
    "outside": Spec("a", 40, 40, Fit.OUTSIDE),
    "enlarge": Spec("a", 300, enlarge=True),
    "enlarge, cover": Spec("a", 200, 90, Fit.COVER, enlarge=True),
    "odd sides": Spec("a", 33, 17, Fit.FILL),
    "one pixel": Spec("a", 1, 1, Fit.COVER),
    "aspect, dpr": Spec("a", 20, None, Fit.COVER, aspect=(3, 2), dpr=1.5),
    "extract": Spec("a", 40, extract=Extract(HALF, HALF, HALF, HALF)),
    "rotate": Spec("a", 40, rotate=90),
    "trim": Spec("a", 40, trim=10),
    "attention": Spec("a", 40, 40, Fit.COVER, gravity=Gravity.ATTENTION),
    "focal point": Spec("a", 40, 40, Fit.COVER, focal_point=(0.0, 1.0)),
}
WRITTEN = {
    "max_bytes": Spec("a", 60, max_bytes=6_000),
    "ssimulacra2": Spec("a", 60, quality=Similarity(60)),
    "ssimulacra2, max_bytes": Spec("a", 60, quality=Similarity(90), max_bytes=5_000),
    "verify": Spec("a", 60, verify=Verify.DECODE),
    "metadata": Spec("a", 60, metadata=Metadata.KEEP),
    "density": Spec("a", 60, density=300),
    "profile": Spec("a", 60, profile=Profile.KEEP),
    "display-p3": Spec("a", 60, profile=Profile.DISPLAY_P3),
    "background": Spec("a", 60, background="#ff0000"),
    "subsampling": Spec("a", 60, subsampling=Subsampling.FULL),
    "keep_smaller": Spec("a", 60, keep_smaller=True),
    "by Pillow": Spec("a", 60, resampler=Resampler.PILLOW),
    "no shrink on load": Spec("a", 60, shrink_on_load=False),
}
OF_JPEG = {"optimize": Spec("a", 60, optimize=True), "progressive": Spec("a", 60, progressive=True)}
OF_AVIF = {
    "lossless": Spec("a", 60, lossless=True),
    "effort": Spec("a", 60, effort=9),
    "depth": Spec("a", 60, depth=AS_SOURCE),
}


def quarter_bright(size: tuple[int, int]) -> Image.Image:
    image = Image.new("L", size)
    image.paste(255, (0, 0, size[0] // 2, size[1] // 2))
    return image


def source(size: tuple[int, int], orientation: int = 1) -> bytes:
    """A picture that is white above left and black elsewhere, with a gain map that is bright there."""
    picture = Image.merge("RGB", (quarter_bright(size),) * 3)
    small = quarter_bright((size[0] // 2, size[1] // 2))
    return with_gain(encoded(picture, "JPEG", quality=95, exif=exif({0x0112: orientation})), gain_map(small, NUMBERS))


@pytest.mark.parametrize(
    ("name", "orientation"),
    [*((name, 1 + number % 8) for number, name in enumerate([*PLACED, *WRITTEN, *OF_JPEG])), ("cover", 6)],
)
def test_a_gain_map_lies_over_its_picture(name: str, orientation: int) -> None:
    spec = replace((PLACED | WRITTEN | OF_JPEG)[name], hdr=Hdr.KEEP)
    answer, files = answer_to(source((161, 121), orientation), spec)
    (made,) = answer.renditions
    assert isinstance(made, Rendered)
    assert [*answer.warnings, *made.warnings] == []
    assert made.size <= (spec.max_bytes or made.size)
    picture = Image.open(io.BytesIO(files["a"])).convert("L")
    found = read(files["a"], picture.size)
    assert found.numbers == NUMBERS
    over = found.image.resize(picture.size, Image.Resampling.BILINEAR)
    apart = sum(abs(a - b) for a, b in zip(picture.tobytes(), over.tobytes(), strict=True))
    assert apart / len(over.tobytes()) < 14


@pytest.mark.parametrize("name", [*PLACED, *WRITTEN, *OF_AVIF])
def test_pq_stays_pq(name: str) -> None:
    spec = replace((PLACED | WRITTEN | OF_AVIF)[name], format=Format.AVIF, hdr=Hdr.KEEP)
    answer, files = answer_to(stated((0.6, 0.5, 0.4), 16), spec)
    (made,) = answer.renditions
    assert isinstance(made, Rendered)
    assert made.warnings == ()
    assert "HDR" not in str(answer.warnings)
    assert codes(files["a"])[3] == 16
    assert inspect(files["a"]).bits == (12 if name == "depth" else 10)
