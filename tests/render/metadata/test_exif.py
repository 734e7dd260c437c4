from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.model.spec import Format, Spec
from pipeline.render.metadata.exif import ARTIST, COPYRIGHT, Exif, text, write
from pipeline.render.metadata.policy import Facts, read_exif
from tests.pictures import RED, corners, encoded, exif, near, quarters
from tests.render.drawing import answer_to, rendition

RIGHTS = {0x013B: "Ada Lovelace", 0x8298: "(c) 1843"}
PRIVATE = {0x010F: "Maker Ltd", 0x0131: "Software 1"}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
@pytest.mark.parametrize("target", [Format.JPEG, Format.PNG, Format.WEBP, Format.AVIF, Format.TIFF])
def test_artist_and_copyright_survive_and_nothing_else(kind: str, target: Format) -> None:
    tags = {**RIGHTS, **PRIVATE}
    content = encoded(quarters(), kind, **({"tiffinfo": tags} if kind == "TIFF" else {"exif": exif(tags)}))
    image = rendition(content, Spec("a", 96, format=target))
    kept = image.getexif()
    assert {tag: str(kept[tag]).strip("\0") for tag in RIGHTS} == RIGHTS
    assert not set(PRIVATE) & set(kept)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_what_is_written_is_read_back(artist: bytes, copyright_: bytes) -> None:
    def clean(text: bytes) -> bytes:
        return text.replace(b"\0", b" ").strip()

    kept = Facts(artist=clean(artist), copyright=clean(copyright_))
    block = write(Exif({ARTIST: text(kept.artist), COPYRIGHT: text(kept.copyright)}))
    assert read_exif(block) == kept


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail(content: bytes) -> None:
    assert 1 <= read_exif(content).orientation <= 8
    assert 1 <= read_exif(b"Exif\0\0II*\0\x08\0\0\0" + content).orientation <= 8


@given(st.data())
def test_a_truncated_block_never_fails(data: st.DataObject) -> None:
    block = exif({0x0112: 6, **RIGHTS})
    read_exif(block[: data.draw(st.integers(0, len(block)))])


@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")
def test_damaged_exif_costs_a_warning_and_not_the_picture() -> None:
    content = encoded(quarters(), "JPEG", exif=b"Exif\0\0XX damaged", dpi=(72, 72))
    answer, _ = answer_to(content, Spec("a", 96))
    assert answer.warnings == ("damaged EXIF ignored",)


def test_exif_that_comes_after_the_pixels_of_a_png_counts() -> None:
    turned = quarters().transpose(Image.Transpose.ROTATE_90)
    content = encoded(turned, "PNG", exif=exif({0x0112: 6}))
    start = content.index(b"eXIf") - 4
    length = 12 + int.from_bytes(content[start : start + 4])
    chunk, end = content[start : start + length], content.index(b"IEND") - 4
    moved = content[:start] + content[start + length : end] + chunk + content[end:]
    assert near(corners(rendition(moved, Spec("a", 96, format=Format.PNG)))[0], RED, 12)


def test_a_directory_cut_short_still_says_what_it_said_before() -> None:
    block = exif({0x0112: 6, 0x8298: "(c) a name longer than four"})
    assert read_exif(block[: block.index(b"\x82\x98" if b"MM" in block else b"\x98\x82") + 4]).orientation == 6
