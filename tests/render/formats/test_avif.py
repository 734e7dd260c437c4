from __future__ import annotations

import struct

import pytest
from PIL import Image

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.spec import Format, Limits, Spec
from tests.pictures import RED, as_stored, corners, encoded, exif, near, quarters
from tests.render.drawing import answer_to, rendition

PNG = Spec("a", format=Format.PNG)


def with_aperture(content: bytes, *numbers: int) -> bytes:
    """`content`, an AVIF of one picture as libavif writes it, with a clap box of these numbers."""
    box = struct.pack(">L4s", 40, b"clap") + struct.pack(">LLLLlLlL", *numbers)
    whole = bytearray(content)
    places = {kind: content.index(kind) - 4 for kind in (b"meta", b"iloc", b"iprp", b"ipco", b"ipma")}
    for kind, more in ((b"meta", 41), (b"iprp", 41), (b"ipco", 40), (b"ipma", 1)):
        _add(whole, places[kind], more)
    _add(whole, places[b"iloc"] + 22, 41)  # where the pixels are
    links = places[b"ipma"]
    size = int.from_bytes(content[links : links + 4])
    container = int.from_bytes(content[places[b"ipco"] : places[b"ipco"] + 4])
    number = content[places[b"ipco"] : places[b"ipco"] + container]
    properties = 0
    at = 8
    while at < len(number):
        properties, at = properties + 1, at + int.from_bytes(number[at : at + 4])
    whole[links + size : links + size] = bytes((0x80 | properties + 1,))
    whole[links + 18] += 1  # how many properties the picture has
    end = places[b"ipco"] + container
    whole[end:end] = box
    return bytes(whole)


def _add(whole: bytearray, at: int, more: int) -> None:
    whole[at : at + 4] = (int.from_bytes(whole[at : at + 4]) + more).to_bytes(4)


def picture(mode: str = "RGB", **options: object) -> bytes:
    """80 x 60, of which the middle 40 x 30 are quarters, and the rest is black."""
    image = Image.new("RGB", (80, 60))
    image.paste(quarters((40, 30)), (20, 15))
    return encoded(image.convert(mode), "AVIF", quality=100, subsampling="4:4:4", **options)


MIDDLE = (40, 1, 30, 1, 0, 1, 0, 1)


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_clean_aperture_is_all_that_is_shown(orientation: int) -> None:
    content = picture(exif=exif({0x0112: orientation}))
    answer, _ = answer_to(with_aperture(content, *MIDDLE), PNG)
    assert (answer.header.width, answer.header.height, answer.warnings) == (40, 30, ())
    image = rendition(with_aperture(content, *MIDDLE), PNG)
    wanted = corners(as_stored(quarters((40, 30)), {1: 1, 6: 8}[orientation]))
    assert all(near(got, want, 12) for got, want in zip(corners(image), wanted, strict=True))


def test_an_aperture_off_the_middle_is_cropped_where_it_is() -> None:
    image = rendition(with_aperture(picture(), 20, 1, 15, 1, -20, 2, -15, 2), PNG)
    assert image.size == (20, 15)
    assert all(near(got, RED, 12) for got in corners(image))


@pytest.mark.parametrize(
    "numbers",
    [
        (40, 0, 30, 1, 0, 1, 0, 1),
        (90, 1, 30, 1, 0, 1, 0, 1),
        (40, 1, 30, 1, 30, 1, 0, 1),
        (39, 1, 30, 1, 0, 1, 0, 1),
        (0,) * 8,
    ],
    ids=["no number", "too wide", "outside", "half a pixel", "nothing"],
)
def test_an_aperture_that_makes_no_sense_is_ignored_with_a_warning(numbers: tuple[int, ...]) -> None:
    answer, _ = answer_to(with_aperture(picture(), *numbers), PNG)
    assert answer.warnings == ("clean aperture ignored: it is not within the picture",)
    assert answer.upright == (80, 60)


def test_what_an_aperture_hides_counts_to_the_limits() -> None:
    with pytest.raises(PictureError) as caught:
        answer_to(with_aperture(picture(), *MIDDLE), PNG, limits=Limits(pixels=80 * 60 - 1))
    assert caught.value.kind is ErrorKind.TOO_MANY_PIXELS


def test_no_damage_to_the_boxes_fails_for_a_defect_of_ours() -> None:
    content = with_aperture(picture(), *MIDDLE)
    for at in range(32, content.index(b"mdat")):
        for value in (0, 0xFF):
            try:
                answer_to(content[:at] + bytes((value,)) + content[at + 1 :], Spec("a", 8))
            except PictureError as error:
                assert error.kind is not ErrorKind.INTERNAL  # noqa: PT017 -- most of them are no error
