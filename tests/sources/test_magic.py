from __future__ import annotations

import pytest

from pipeline.sources.magic import extension, has_picture_name, recognise, sniff

FTYP = b"\0\0\0\x20ftyp"


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "jpeg"),
        (b"\x89PNG\r\n\x1a\n\0\0", "png"),
        (b"GIF87a", "gif"),
        (b"GIF89a", "gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "webp"),
        (b"RIFF\x10\0\0\0WAVEfmt ", None),
        (b"II*\0\x08\0\0\0", "tiff"),
        (b"MM\0*\0\0\0\x08", "tiff"),
        (b"II+\0", "tiff"),
        (FTYP + b"avif\0\0\0\0mif1miaf", "avif"),
        (FTYP + b"mif1\0\0\0\0avifmiaf", "avif"),
        (FTYP + b"heic\0\0\0\0mif1heic", "heif"),
        (FTYP + b"isom\0\0\2\0isomiso2", None),  # a film
        (b"BM" + bytes(12) + b"\x28\0\0\0", "bmp"),
        (b"BMW is a car, and this a text", None),
        (b"\0\0\1\0\1\0\x10\x10\0\0\1\0", "ico"),
        (b"P6\n2 2\n255\n", "ppm"),
        (b"P7\nWIDTH", None),
        (b"Pixel art", None),
        (b"%!PS-Adobe-3.0 EPSF-3.0", None),
        (b"<svg xmlns=", None),
        (b"", None),
        (b"\xff\xd8", None),
        (bytes(64), None),
    ],
)
def test_the_first_bytes_tell_the_format(head: bytes, name: str | None) -> None:
    assert sniff(head) == name


def test_camera_raws_that_are_no_tiffs_are_told_by_name_and_content() -> None:
    for name, head in (("a.RAF", b"FUJIFILMCCD-RAW 02"), ("a.orf", b"IIRO\x08"), ("a.cr3", b"\0\0\0\x18ftypcrx \0")):
        assert recognise(name, head) is None
        assert recognise(name, head, raw=True) == "raw"
        assert recognise("a.bin", head, raw=True) is None
    assert recognise("a.raw", b"a text", raw=True) is None


def test_a_camera_raw_is_not_taken_for_the_tiff_that_it_starts_like() -> None:
    for name in ("DSC_1.NEF", "GOPR0001.GPR", "B0000.fff", "a.arq", "a.dcs", "a.k25"):
        assert recognise(f"a/{name}", b"II*\0\x08\0\0\0") is None
        assert recognise(f"a/{name}", b"II*\0\x08\0\0\0", raw=True) == "raw"
    assert recognise("a/DSC_1.tif", b"II*\0\x08\0\0\0", raw=True) == "tiff"
    assert recognise("a/DSC_1.tif", b"II*\0\x08\0\0\0") == "tiff"
    assert recognise("a/DSC_1.nef", b"\xff\xd8\xff\xe0") == "jpeg"  # a wrong name hides nothing else


@pytest.mark.parametrize(
    ("source", "claimed"),
    [
        ("a/b.JPG", True),
        ("b.jpeg", True),
        ("b.txt", False),
        ("jpg", False),
        (".jpg", False),
        ("a.jpg/b", False),
        ("b.", False),
        ("b.jpg.txt", False),
        ("b.svg", False),
    ],
)
def test_the_last_extension_claims_a_picture(source: str, claimed: bool) -> None:
    assert has_picture_name(source) is claimed


def test_an_extension_is_that_of_the_name_alone() -> None:
    assert extension("a.b/c") == ""
    assert extension("a.b/c.D") == "d"
