"""Files that are cut off, made whole with what is there."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import Image

from pipeline.render.container.mending import mended
from tests.pictures import encoded, exif, quarters

SIZE = (48, 40)
MOST = 10**6


def opened(content: bytes | None) -> Image.Image:
    assert content is not None
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        return image.copy()


def noisy(mode: str) -> Image.Image:
    return Image.effect_noise(SIZE, 60).convert(mode)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("name", ["JPEG"])
def test_of_a_jpeg_that_is_cut_off_decoders_show_what_is_there(name: str, progressive: bool) -> None:
    picture = noisy("RGB")
    content = encoded(picture, name, progressive=progressive, quality=95)
    image = opened(mended(content[: len(content) * 3 // 4], name, MOST))
    whole = opened(content)
    assert image.size == SIZE
    if not progressive:
        rows = (0, 0, SIZE[0], 16)
        assert image.crop(rows).tobytes() == whole.crop(rows).tobytes()
    assert image.tobytes() != whole.tobytes()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_of_a_png_that_is_cut_off_the_rows_that_are_there_are_kept_and_the_others_are_zero(mode: str) -> None:
    picture = noisy("L").convert("I;16") if mode == "I;16" else noisy(mode)
    content = encoded(picture, "PNG")
    image = opened(mended(content[: len(content) // 2], "PNG", MOST))
    assert (image.size, image.mode) == (picture.size, picture.mode)
    top, last = (0, 0, SIZE[0], SIZE[1] // 4), (0, SIZE[1] - 1, *SIZE)
    assert image.crop(top).tobytes() == picture.crop(top).tobytes()
    assert not any(image.crop(last).tobytes())


def test_a_png_may_be_cut_off_within_any_byte_of_its_pixels() -> None:
    content = encoded(quarters((9, 7)), "PNG")
    first, end = content.index(b"IDAT") + 4, content.index(b"IEND") - 4
    made = [mended(content[:cut], "PNG", MOST) for cut in range(first, end)]
    assert made[0] is None  # not one row
    assert sum(each is not None for each in made) > len(made) // 2
    for each in filter(None, made):
        assert opened(each).size == (9, 7)


def test_a_thumbnail_with_an_end_of_its_own_does_not_make_a_jpeg_whole() -> None:
    thumbnail = encoded(quarters((8, 8)), "JPEG")
    content = encoded(noisy("RGB"), "JPEG", exif=exif({0x010E: "x"}) + thumbnail)
    assert mended(content, "JPEG", MOST) is None
    assert opened(mended(content[:-200], "JPEG", MOST)).size == SIZE


@pytest.mark.parametrize("name", ["JPEG", "PNG", "GIF", "WEBP"])
def test_whole_files_other_formats_and_files_without_pixels_are_not_mended(name: str) -> None:
    content = encoded(noisy("RGB"), name)
    assert mended(content, name, MOST) is None
    for cut in (0, 1, 8, 20, 33, 60):
        assert mended(content[:cut], name, MOST) is None
    if name in ("GIF", "WEBP"):
        assert mended(content[: len(content) // 2], name, MOST) is None


def test_a_png_of_more_pixels_than_allowed_and_one_that_is_damaged_otherwise_are_not_mended() -> None:
    content = bytearray(encoded(noisy("RGB"), "PNG")[:-300])
    assert mended(bytes(content), "PNG", 48 * 40) is not None
    assert mended(bytes(content), "PNG", 48 * 40 - 1) is None
    content[60:90] = bytes(30)
    assert mended(bytes(content), "PNG", MOST) is None
    struct.pack_into(">LL", content, 16, 2**31 - 1, 2**31 - 1)
    assert mended(bytes(content), "PNG", 10**12) is None


def test_an_animated_png_that_is_cut_off_is_not_mended() -> None:
    content = encoded(noisy("L"), "PNG", save_all=True, append_images=[noisy("L")])
    assert b"acTL" in content
    assert mended(content[: content.index(b"fdAT")], "PNG", MOST) is None
    assert mended(content[: content.index(b"IDAT") + 300], "PNG", MOST) is None
