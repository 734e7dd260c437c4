"""What `compare` asks of pictures."""

from __future__ import annotations

import io
import os

import pytest
from PIL import Image

from pipeline.errors import PictureError
from pipeline.model.only import Only
from pipeline.model.rendering import Look, Resemblance, Traits
from pipeline.model.spec import Limits
from pipeline.render import memory
from pipeline.render.comparing import answer
from pipeline.render.pixels import libvips
from pipeline.workers.exchange import whole
from tests.raws import nef


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def asked(content: bytes, task: Look | Resemblance) -> object:
    descriptor = memory.create()
    try:
        os.write(descriptor, content)
        _first, last = answer(whole(descriptor), task)
        return last.payload
    finally:
        os.close(descriptor)


def looked(content: bytes) -> Traits:
    traits = asked(content, Look(Limits()))
    assert isinstance(traits, Traits)
    return traits


def test_what_a_source_leaves_out_is_told_by_the_upright_picture() -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    content = encoded(Image.new("RGB", (40, 20)), "JPEG", exif=turned)
    for only, why in ((Only(min_width=30), "min_width: 20 pixels"), (Only(min_height=30), "")):
        traits = asked(content, Look(Limits(), only=only))
        assert isinstance(traits, Traits)
        assert traits.outside == why


def similarity(first: bytes, other: bytes, background: str = "#ffffff") -> float:
    score = asked(first + other, Resemblance(Limits(), len(first), background))
    assert isinstance(score, float)
    return score


DETAILED = Image.effect_noise((64, 48), 60).convert("RGB")


def test_the_header_tells_what_a_picture_is() -> None:
    grey = Image.linear_gradient("L").resize((12, 8))
    assert looked(encoded(grey, "JPEG")) == Traits(12, 8, animated=False, transparent=False, cmyk=False, rotated=False)
    assert looked(encoded(grey.convert("CMYK"), "JPEG")).cmyk
    assert looked(encoded(grey.convert("RGBA"), "PNG")).transparent
    turned = Image.Exif()
    turned[0x0112] = 6
    assert looked(encoded(grey, "JPEG", exif=turned)).rotated
    moving = encoded(grey, "GIF", save_all=True, append_images=[grey.rotate(180)], duration=100)
    assert looked(moving).animated


def test_equal_pictures_are_wholly_alike_and_less_quality_is_less_so() -> None:
    reference = encoded(DETAILED, "PNG")
    assert similarity(reference, reference) == 100.0
    scores = [similarity(reference, encoded(DETAILED, "JPEG", quality=quality)) for quality in (20, 60, 95)]
    assert scores == sorted(scores)
    assert scores[0] < scores[-1] < 100


def test_colours_that_differ_are_seen_where_the_luma_is_the_same() -> None:
    def of(blue: int) -> bytes:
        planes = [Image.new("L", (64, 64), level) for level in (128, blue, 128)]
        return encoded(Image.merge("YCbCr", planes).convert("RGB"), "PNG")

    assert similarity(of(128), of(220)) < 90


@pytest.mark.parametrize("size", [(1, 1), (5, 30), (7, 7)])
def test_pictures_too_small_to_be_measured_have_no_score(size: tuple[int, int]) -> None:
    picture = encoded(DETAILED.resize(size), "PNG")
    assert asked(picture * 2, Resemblance(Limits(), len(picture), "#ffffff")) is None


def test_without_libvips_there_is_no_score(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libvips, "available", lambda: False)
    picture = encoded(DETAILED, "PNG")
    assert asked(picture * 2, Resemblance(Limits(), len(picture), "#ffffff")) is None


def test_a_camera_raw_is_looked_at_by_its_preview() -> None:
    with pytest.raises(PictureError):
        looked(nef())
    traits = asked(nef(), Look(Limits(), raw=True))
    assert isinstance(traits, Traits)
    assert (traits.width, traits.height) == (320, 240)


def test_transparent_parts_are_compared_on_the_background() -> None:
    glass = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    red = Image.new("RGB", (64, 64), (255, 0, 0))
    assert similarity(encoded(glass, "PNG"), encoded(red, "PNG"), "#ff0000") == 100.0
    assert similarity(encoded(glass, "PNG"), encoded(red, "PNG"), "#ffffff") < 50


def test_pictures_of_two_sizes_are_not_compared() -> None:
    with pytest.raises(PictureError, match="compared with"):
        similarity(encoded(DETAILED, "PNG"), encoded(DETAILED.resize((32, 24)), "PNG"))
