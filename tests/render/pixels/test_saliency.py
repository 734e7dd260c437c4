from __future__ import annotations

import functools
import io
import random
from dataclasses import replace

import pytest
from PIL import Image, ImageDraw, ImageFilter

from pipeline.model.rendering import Rendered
from pipeline.model.shape import Gravity, Resampler
from pipeline.model.spec import Fit, Format, Spec
from tests.pictures import encoded
from tests.render.drawing import answer_to, rendition

SPEC = Spec("a", 100, 100, Fit.COVER, format=Format.PNG)
MEASURED = [Gravity.ATTENTION, Gravity.ENTROPY]
SKIN = (224, 172, 140)


def plain(size: tuple[int, int]) -> Image.Image:
    """A soft background: grey-blue, a little brighter to one side."""
    ramp = Image.linear_gradient("L").resize(size).point(lambda level: 90 + level // 8)
    return Image.merge("RGB", (ramp, ramp, ramp.point(lambda level: level + 20)))


def with_subject(size: tuple[int, int], place: tuple[int, int]) -> Image.Image:
    """Something busy and red, 160 pixels wide, on a plain background."""
    image = plain(size)
    noise = Image.merge("RGB", [_noise(spread) for spread in (120, 60, 40)])
    image.paste(Image.blend(noise, Image.new("RGB", (160, 160), (220, 40, 40)), 0.4), place)
    return image


@functools.cache
def _noise(spread: int) -> Image.Image:
    """The same each time: what Pillow's own noise looks like depends on how much of it was made before."""
    chance = random.Random(spread)
    return Image.frombytes(
        "L", (160, 160), bytes(min(255, max(0, int(chance.gauss(128, spread)))) for _ in range(160 * 160))
    )


def redness(image: Image.Image) -> float:
    """How much of the subject is to be seen, 0..1."""
    red, green, _blue = image.convert("RGB").split()
    seen = sum(a > b + 30 for a, b in zip(red.tobytes(), green.tobytes(), strict=True))
    return seen / (image.width * image.height)


@pytest.mark.parametrize("gravity", MEASURED)
@pytest.mark.parametrize(
    ("size", "place"), [((1200, 300), (900, 60)), ((1200, 300), (60, 90)), ((300, 1200), (70, 840))]
)
def test_what_is_to_be_seen_is_in_the_crop(gravity: Gravity, size: tuple[int, int], place: tuple[int, int]) -> None:
    content = encoded(with_subject(size, place), "PNG")
    whole = 160 * 160 / (300 * 300)
    assert redness(rendition(content, replace(SPEC, gravity=gravity))) > 0.6 * whole
    assert redness(rendition(content, SPEC)) < 0.1 * whole  # the middle would have missed it


def test_a_face_wins_over_something_as_busy() -> None:
    image = plain((1200, 300))
    draw = ImageDraw.Draw(image)
    for left, colour in ((80, (120, 150, 120)), (960, SKIN)):
        draw.ellipse((left, 60, left + 160, 240), fill=colour)
        draw.ellipse((left + 40, 110, left + 60, 130), fill=(30, 30, 30))
        draw.ellipse((left + 100, 110, left + 120, 130), fill=(30, 30, 30))
    small = rendition(encoded(image, "PNG"), replace(SPEC, gravity=Gravity.ATTENTION)).convert("RGB")
    assert max(count for count, colour in small.getcolors(10_000) or () if colour == SKIN) > 1_000


@pytest.mark.parametrize("gravity", MEASURED)
def test_a_plain_picture_is_cropped_in_its_middle(gravity: Gravity) -> None:
    image = Image.new("RGB", (400, 100), (90, 90, 90))
    image.paste((91, 91, 91), (150, 0, 250, 100))
    got = rendition(encoded(image, "PNG"), replace(SPEC, width=50, height=50, gravity=gravity))
    assert got.convert("RGB").getcolors() == [(2500, (91, 91, 91))]


@pytest.mark.parametrize("gravity", MEASURED)
def test_neither_shrinking_on_load_nor_the_resampler_moves_a_crop_far(gravity: Gravity) -> None:
    content = encoded(with_subject((2400, 600), (1700, 200)), "JPEG", quality=92)
    cover = replace(SPEC, gravity=gravity)
    alone = [cover, replace(cover, shrink_on_load=False), replace(cover, resampler=Resampler.PILLOW)]
    small = [rendition(content, spec).convert("L").filter(ImageFilter.GaussianBlur(8)) for spec in alone]
    for other in small[1:]:
        pairs = zip(small[0].tobytes(), other.tobytes(), strict=True)
        assert sum(abs(a - b) for a, b in pairs) / 10_000 < 6


@pytest.mark.parametrize("gravity", MEASURED)
@pytest.mark.parametrize("orientation", [3, 6])
def test_it_is_measured_upright(gravity: Gravity, orientation: int) -> None:
    from tests.pictures import as_stored, exif

    image = with_subject((1200, 300), (900, 60))
    turned = encoded(as_stored(image, orientation), "PNG", exif=exif({0x0112: orientation}))
    cover = replace(SPEC, gravity=gravity)
    pairs = zip(rendition(encoded(image, "PNG"), cover).tobytes(), rendition(turned, cover).tobytes(), strict=True)
    assert max(abs(a - b) for a, b in pairs) <= 12


def test_what_is_hidden_draws_no_attention() -> None:
    image = with_subject((1200, 300), (900, 60)).convert("RGBA")
    ImageDraw.Draw(image).ellipse((90, 90, 200, 200), fill=(90, 140, 160))  # less striking than what will be hidden
    alpha = Image.new("L", image.size, 255)
    alpha.paste(0, (880, 0, 1200, 300))
    image.putalpha(alpha)
    got = rendition(encoded(image, "PNG"), replace(SPEC, gravity=Gravity.ATTENTION))
    assert got.convert("RGBA").getchannel("A").getextrema() == (255, 255)


def test_a_film_is_cropped_in_one_place_throughout() -> None:
    frames = [with_subject((600, 150), (430, 0)), with_subject((600, 150), (10, 0))]
    content = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=100, lossless=True)
    cover = Spec("a", 150, 150, Fit.COVER, format=Format.WEBP, gravity=Gravity.ATTENTION)
    answer, files = answer_to(content, cover)
    assert isinstance(answer.renditions[0], Rendered)
    with Image.open(io.BytesIO(files["a"])) as animation:
        seen = []
        for number in range(2):
            animation.seek(number)
            seen.append(redness(animation))
    assert seen[0] > 0.5
    assert seen[1] < 0.1
