from __future__ import annotations

import io
import struct

import pytest
from PIL import Image

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.rendering import NotRendered, Rendered
from pipeline.model.spec import LARGEST, Animation, Format, Limits, Spec
from tests.pictures import BLUE, GREEN, RED, encoded, grey_profile, near, pixel, quarters
from tests.render.drawing import answer_to, rendition
from tests.render.formats.test_animation import animation

PNG = Format.PNG
SIZES = [(40, 30), (90, 60), (60, 80)]


def pages() -> list[Image.Image]:
    return [Image.new("RGB", size, colour) for size, colour in zip(SIZES, (RED, GREEN, BLUE), strict=True)]


def tiff() -> bytes:
    first, *others = pages()
    return encoded(first, "TIFF", save_all=True, append_images=others)


def mpo() -> bytes:
    """As a stereo camera writes it: every picture is one in its own right."""
    first, *others = pages()
    content = bytearray(encoded(first, "MPO", save_all=True, append_images=others, quality=95))
    at = content.index(b"MPF\0") + 4
    for number in range(3):  # Pillow calls the second and following pictures undefined
        place = content.index(b"\x02\xb0\x07\x00", at) + 8
        entries = at + struct.unpack_from("<L", content, place)[0]
        struct.pack_into("<L", content, entries + 16 * number, 0x030000 if number == 0 else 0x020002)
    return bytes(content)


def icon() -> bytes:
    large = Image.new("RGBA", (64, 64), (*RED, 255))
    small = Image.new("RGBA", (16, 16), (*BLUE, 255))
    return encoded(large, "ICO", sizes=[(16, 16), (64, 64)], append_images=[small])


@pytest.mark.parametrize("content", [tiff(), mpo()], ids=["TIFF", "MPO"])
def test_the_page_that_is_asked_for_in_its_own_size(content: bytes) -> None:
    specs = [Spec("first", format=PNG), Spec("large", format=PNG, page=LARGEST)]
    specs += [Spec(str(number), format=PNG, page=number) for number in range(3)]
    answer, files = answer_to(content, *specs)
    assert [rendition.name for rendition in answer.renditions] == [spec.name for spec in specs]
    for name, number in (("first", 0), ("large", 1), ("0", 0), ("1", 1), ("2", 2)):
        with Image.open(io.BytesIO(files[name])) as image:
            assert image.size == SIZES[number]
            assert near(pixel(image.convert("RGB"), (9, 9)), (RED, GREEN, BLUE)[number], 4)
    assert answer.header.frames == 3
    assert answer.upright == SIZES[0]


@pytest.mark.parametrize("page", [0, LARGEST])
def test_the_only_page_is_the_picture(page: int) -> None:
    """Beside one that says nothing of pages, and although a JPEG is shrunk on load for both."""
    content = encoded(quarters((800, 600)), "JPEG", quality=95)
    specs = (Spec("all", 24, format=PNG), Spec("page", 24, format=PNG, page=page))
    _answer, files = answer_to(content, *specs)
    assert files["page"] == files["all"]
    assert answer_to(content, specs[1], beside=specs[:1])[1]["page"] == files["page"]


def test_a_page_that_is_not_there_is_its_renditions_failure_only() -> None:
    answer, files = answer_to(tiff(), Spec("gone", format=PNG, page=3), Spec("there", format=PNG, page=2))
    failed, made = answer.renditions
    assert isinstance(failed, NotRendered)
    assert failed.error.kind == ErrorKind.NOT_ENCODABLE
    assert failed.error.detail == "page 3 is asked for, and the last one is 2"
    assert isinstance(made, Rendered)
    assert (made.index, list(files)) == (0, ["there"])
    (alone,) = answer_to(encoded(pages()[0], "JPEG"), Spec("a", page=1))[0].renditions
    assert isinstance(alone, NotRendered)


def test_only_where_the_first_is_taken_for_want_of_an_order_is_it_told() -> None:
    assert answer_to(tiff(), Spec("a"))[0].warnings == ("first of 3 pages only",)
    assert answer_to(mpo(), Spec("a"))[0].warnings == ("first of 3 pages only",)
    assert answer_to(tiff(), Spec("a", page=0))[0].warnings == ()
    assert answer_to(icon(), Spec("a"))[0].warnings == ()


def test_a_phones_second_picture_that_is_only_for_brightness_is_no_page() -> None:
    """Gain maps stand in an MPO's index as undefined."""
    first, second, _ = pages()
    content = encoded(first, "MPO", save_all=True, append_images=[second], quality=95)
    answer, _ = answer_to(content, Spec("a"))
    assert (answer.warnings, answer.header.frames, answer.header.format) == ((), 1, "mpo")


def test_an_icons_pages_go_from_the_largest_down() -> None:
    for page, size, colour in ((None, 64, RED), (0, 64, RED), (LARGEST, 64, RED), (1, 16, BLUE)):
        image = rendition(icon(), Spec("a", format=PNG, page=page))
        assert image.size == (size, size)
        assert near(pixel(image.convert("RGB"), (8, 8)), colour, 2)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("page", [0, 1, 2])
def test_a_page_of_an_animation_is_a_still_of_it(kind: str, page: int) -> None:
    answer, files = answer_to(animation(kind), Spec("a", format=PNG, page=page), Spec("all", format=PNG))
    with Image.open(io.BytesIO(files["a"])) as image:
        assert getattr(image, "n_frames", 1) == 1
        assert near(pixel(image.convert("RGB"), (20, 15)), (RED, GREEN, BLUE)[page], 12)
    with Image.open(io.BytesIO(files["all"])) as image:
        assert getattr(image, "n_frames", 1) == 3
    assert answer.warnings == ()


@pytest.mark.parametrize("target", [Format.JPEG, Format.WEBP])
def test_a_first_frame_that_was_asked_for_is_no_warning(target: Format) -> None:
    answer, files = answer_to(animation("GIF"), Spec("a", format=target, animation=Animation.FIRST))
    (rendition,) = answer.renditions
    assert isinstance(rendition, Rendered)
    assert rendition.warnings == ()
    with Image.open(io.BytesIO(files["a"])) as image:
        assert getattr(image, "n_frames", 1) == 1


def test_frames_that_nobody_wants_do_not_count_to_the_limits() -> None:
    few = Limits(frames=2)
    answer, _ = answer_to(animation("GIF"), Spec("a", animation=Animation.FIRST), limits=few)
    assert isinstance(answer.renditions[0], Rendered)
    with pytest.raises(PictureError) as caught:
        answer_to(animation("GIF"), Spec("a", format=Format.WEBP), limits=few)
    assert caught.value.kind == ErrorKind.TOO_MANY_FRAMES


def test_a_page_beyond_the_limit_of_pixels_is_refused_from_its_header() -> None:
    with pytest.raises(PictureError) as caught:
        answer_to(tiff(), Spec("a", page=1), limits=Limits(pixels=5_000))
    assert caught.value.kind == ErrorKind.TOO_MANY_PIXELS
    assert isinstance(answer_to(tiff(), Spec("a"), limits=Limits(pixels=5_000))[0].renditions[0], Rendered)


def test_each_page_has_its_own_profile() -> None:
    both = [Image.new("L", (20, 20), 128) for _ in range(2)]
    plain, coloured = (
        encoded(page, "TIFF", **options)
        for page, options in zip(both, ({}, {"icc_profile": grey_profile(1.0)}), strict=True)
    )
    assert pixel(rendition(plain, Spec("a", format=PNG, page=0)), (9, 9))[0] == 128
    assert pixel(rendition(coloured, Spec("a", format=PNG, page=0)), (9, 9))[0] > 180


def test_a_damaged_index_of_pictures_is_as_good_as_none() -> None:
    content = bytearray(mpo())
    at = content.index(b"MPF\0") + 4
    for place in range(at, at + 60):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        try:
            answer_to(bytes(damaged), Spec("a", format=PNG, page=1))
        except PictureError:
            continue
