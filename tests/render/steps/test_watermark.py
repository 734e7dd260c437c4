from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image, ImageChops

from pipeline.model.rendering import NotRendered
from pipeline.model.shape import Gravity, Length
from pipeline.model.spec import Format, Spec
from pipeline.model.steps import Asset, Watermark
from pipeline.render.steps.registry import through
from tests.pictures import DISPLAY_P3, as_stored, encoded, exif, matrix_profile, near, pixel, quarters
from tests.render.drawing import answer_to, rendition

GREY, INK = (100, 100, 100), (250, 20, 20)


def asset(image: Image.Image, kind: str = "PNG", **options: object) -> Asset:
    return Asset.of("mark", encoded(image, kind, **options))


LOGO = asset(Image.new("RGB", (40, 20), INK))
MARK = Watermark(picture=LOGO, scale=0.2, margin=Length(10))


def ground(mode: str = "RGB") -> Image.Image:
    return Image.new("RGB", (200, 200), GREY).convert(mode)


def box(marked: Image.Image, plain: Image.Image) -> tuple[int, int, int, int] | None:
    return ImageChops.difference(marked.convert("RGB"), plain.convert("RGB")).getbbox()


@pytest.mark.parametrize(
    ("gravity", "place"),
    [
        (Gravity.SOUTH_EAST, (150, 170)),
        (Gravity.NORTH_WEST, (10, 10)),
        (Gravity.NORTH, (80, 10)),
        (Gravity.WEST, (10, 90)),
        (Gravity.CENTRE, (80, 90)),
        (Gravity.EAST, (150, 90)),
        (Gravity.SOUTH_WEST, (10, 170)),
    ],
)
def test_a_mark_stands_where_it_is_told_with_its_margin_and_size(gravity: Gravity, place: tuple[int, int]) -> None:
    got = through((replace(MARK, gravity=gravity),), ground(), 1.0)
    assert box(got, ground()) == (*place, place[0] + 40, place[1] + 20)
    assert pixel(got, (place[0] + 20, place[1] + 10)) == INK


def test_scale_is_of_the_picture_and_the_margin_of_the_pixels_of_the_config() -> None:
    got = through((replace(MARK, scale=0.4),), ground(), 2.0)
    assert box(got, ground()) == (100, 140, 180, 180)
    percent = replace(MARK, margin=Length(5, percent=True))
    assert box(through((percent,), ground(), 2.0), ground()) == (150, 170, 190, 190)


def test_a_mark_as_large_as_the_picture_needs_no_room_for_its_margin() -> None:
    got = through((replace(MARK, scale=1.0, margin=Length(50)),), ground(), 1.0)
    assert box(got, ground()) == (0, 50, 200, 150)


def test_opacity_mixes_and_the_marks_own_alpha_counts() -> None:
    half = asset(Image.new("RGBA", (40, 20), (*INK, 128)))
    for mark, share in (
        (replace(MARK, opacity=0.5), 0.5),
        (replace(MARK, picture=half), 0.5),
        (replace(MARK, picture=half, opacity=0.5), 0.25),
    ):
        wanted = [round(a + (b - a) * share) for a, b in zip(GREY, INK, strict=True)]
        assert near(pixel(through((mark,), ground(), 1.0), (170, 180)), wanted, 2)


def test_over_what_is_hidden_only_the_mark_is_seen() -> None:
    clear = Image.new("RGBA", (200, 200), (0, 255, 0, 0))
    got = through((MARK,), clear, 1.0)
    assert pixel(got, (170, 180)) == (*INK, 255)
    assert pixel(got, (20, 20))[3] == 0


def test_a_grey_mark_leaves_a_grey_picture_grey_and_a_coloured_one_does_not() -> None:
    grey = replace(MARK, picture=asset(Image.new("L", (40, 20), 250)))
    assert through((grey,), ground("L"), 1.0).mode == "L"
    assert through((MARK,), ground("L"), 1.0).mode == "RGB"
    assert through((MARK,), ground("LA"), 1.0).mode == "RGBA"


def test_a_mark_is_upright_and_in_srgb_as_any_picture() -> None:
    turned = asset(as_stored(quarters((80, 40)), 6), "PNG", exif=exif({0x0112: 6}))
    upright = asset(quarters((80, 40)))
    both = [
        through((replace(MARK, picture=picture, scale=0.4),), ground(), 1.0).tobytes() for picture in (turned, upright)
    ]
    assert both[0] == both[1]
    wide = asset(Image.new("RGB", (40, 20), (200, 90, 60)), "PNG", icc_profile=matrix_profile(DISPLAY_P3))
    got = pixel(through((replace(MARK, picture=wide),), ground(), 1.0), (170, 180))
    assert got[0] > 208  # more red in sRGB's numbers


@pytest.mark.parametrize("text", ["© Ada", "two\nlines", "ÄÖÜ"])
def test_a_text_fits_into_its_share_and_is_as_large_as_that(text: str) -> None:
    mark = Watermark(text=text, scale=0.5, color="#102030", margin=Length(10))
    place = box(through((mark,), ground(), 1.0), ground())
    assert place is not None
    left, top, right, bottom = place
    assert 90 <= max(right - left, bottom - top) <= 102
    assert abs(right - 190) <= 2
    assert abs(bottom - 190) <= 2


def test_a_text_has_its_colour() -> None:
    got = through((Watermark(text="MMM", scale=0.9, color="#102030"),), ground(), 1.0)
    assert any(near(colour, (16, 32, 48), 1) for _count, colour in got.getcolors(40_000) or ())  # type: ignore[arg-type]


def test_its_own_font_is_used() -> None:
    from PIL import ImageFont

    carried = ImageFont.load_default(20)
    assert isinstance(carried, ImageFont.FreeTypeFont)
    font = Asset.of("font.ttf", carried.font_bytes)
    mark = Watermark(text="same", scale=0.5)
    same = [through((replace(mark, font=typeface),), ground(), 1.0).tobytes() for typeface in (None, font)]
    assert same[0] == same[1]


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        (Watermark(picture=Asset.of("logo.png", b"no picture at all")), "watermark logo.png: not a picture"),
        (Watermark(picture=Asset.of("logo.png", LOGO.content[:60])), "watermark logo.png: "),
        (Watermark(text="x", font=Asset.of("a.ttf", b"no font")), "font a.ttf: "),
    ],
)
def test_a_mark_that_is_none_is_the_renditions_failure_and_is_named(mark: Watermark, said: str) -> None:
    content = encoded(ground(), "PNG")
    answer, files = answer_to(content, Spec("a", 50, steps=(mark,)), Spec("b", 50))
    failed, _made = answer.renditions
    assert isinstance(failed, NotRendered)
    assert failed.error.detail.startswith(said)
    assert list(files) == ["b"]


def test_it_is_in_every_frame_of_a_film() -> None:
    frames = [Image.new("RGB", (200, 200), (level, level, level)) for level in (10, 100, 200)]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)
    film = rendition(content, Spec("a", 100, format=Format.WEBP, quality=95, steps=(MARK,)))
    assert film.n_frames == 3  # type: ignore[attr-defined]
    for number in range(3):
        film.seek(number)
        assert near(pixel(film.convert("RGB"), (80, 85)), INK, 30)
