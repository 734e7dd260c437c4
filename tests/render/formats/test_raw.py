"""The preview of a camera raw is found, whatever its structure, and stands for it."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from functools import reduce

import pytest
from PIL import Image

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.record import Status
from pipeline.model.rendering import RenderAnswer, Rendered, RenderTask
from pipeline.model.spec import Format, Limits, Metadata, Spec
from pipeline.render.container.bmff import boxes
from pipeline.render.container.view import View
from pipeline.render.formats import raw
from pipeline.render.formats.raw import preview
from pipeline.render.line import render
from pipeline.workers.exchange import whole
from tests.pictures import BLUE, GREEN, RED, WHITE, as_stored, corners, descriptor_of, encoded, exif, near, quarters
from tests.raws import LARGE, Tags, Tiff, box, cr2, cr3, nef, raf, rw2


def answer_to(content: bytes, *specs: Spec) -> tuple[RenderAnswer, dict[str, bytes]]:
    descriptor = descriptor_of(content)
    try:
        line = render(whole(descriptor), RenderTask(specs, Limits(), raw=True))
        next(line)
        answer, descriptors = next(line)
        assert isinstance(answer, RenderAnswer)
    finally:
        os.close(descriptor)
    files = {}
    for spec, made in zip(specs, descriptors, strict=True):
        with os.fdopen(made, "rb") as file:
            files[spec.name] = file.read()
    return answer, files


PNG = Spec("a", 96, format=Format.PNG)


@pytest.mark.parametrize(
    "content",
    [nef(), nef("<"), nef(magic=b"MMOR"), nef("<", magic=b"IIRO"), cr2(), rw2(), raf(), cr3()],
    ids=["NEF", "ARW", "ORF", "ORF, little", "CR2", "RW2", "RAF", "CR3"],
)
def test_the_largest_preview_is_taken_and_that_is_said(content: bytes) -> None:
    answer, files = answer_to(content, PNG)
    assert (answer.header.width, answer.header.height) == (320, 240)
    assert answer.warnings == ("camera raw: its preview of 320 x 240 is taken",)
    image = Image.open(io.BytesIO(files["a"]))
    for got, wanted in zip(corners(image), (RED, GREEN, BLUE, WHITE), strict=True):
        assert near(got, wanted, 12)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_it_stands_as_the_raw_says(orientation: int) -> None:
    for content in (nef(orientation=orientation), cr3(orientation)):
        image = Image.open(io.BytesIO(answer_to(content, PNG)[1]["a"]))
        assert (image.width > image.height) == (orientation == 3)
        wanted = corners(as_stored(quarters(), {3: 3, 6: 8, 8: 6}[orientation]))
        assert all(near(got, want, 12) for got, want in zip(corners(image), wanted, strict=True))


def test_the_exif_of_the_preview_counts_before_that_of_the_raw() -> None:
    own = encoded(quarters((320, 240)), "JPEG", exif=exif({0x0112: 6}))
    tiff = Tiff()
    place = tiff.put(own)
    content = tiff.whole(tiff.directory({513: place, 514: len(own), 274: 1}))
    image = Image.open(io.BytesIO(answer_to(content, PNG)[1]["a"]))
    assert image.size == (96, 128)


def test_the_rights_that_the_raw_states_go_along() -> None:
    content = nef(texts={0x8298: b"(c) somebody\0"})
    assert b"(c) somebody" in answer_to(content, Spec("a", 96, metadata=Metadata.RIGHTS))[1]["a"]


def with_preview_of(own: dict[int, int | str], texts: Tags, orientation: int = 1) -> bytes:
    """A raw whose preview has EXIF of its own."""
    small = encoded(quarters((320, 240)), "JPEG", exif=exif(own))
    tiff = Tiff()
    place = tiff.put(small)
    return tiff.whole(tiff.directory({513: place, 514: len(small), 274: orientation, **texts}))


def test_what_only_the_raw_states_is_joined_to_the_exif_of_its_preview() -> None:
    def kept(own: dict[int, int | str], metadata: Metadata = Metadata.RIGHTS) -> Image.Exif:
        texts: Tags = {0x8298: b"(c) of the raw\0", 0x013B: b"Ada\0", 0x0110: b"a camera\0"}
        made = answer_to(with_preview_of(own, texts), Spec("a", 96, metadata=metadata))[1]["a"]
        return Image.open(io.BytesIO(made)).getexif()

    both = kept({0x8298: "(c) of the preview", 0x010F: "a maker"})
    assert (both[0x8298], both[0x013B]) == ("(c) of the preview", "Ada")
    assert kept({0x8298: "  ", 0x010F: "a maker"})[0x8298] == "(c) of the raw"
    everything = kept({0x010F: "a maker"}, Metadata.KEEP)
    assert (everything[0x010F], everything[0x0110], everything[0x8298]) == ("a maker", "a camera", "(c) of the raw")


def test_a_preview_that_does_not_say_how_it_stands_stands_as_its_raw() -> None:
    content = with_preview_of({0x010F: "a maker"}, {}, 6)
    assert Image.open(io.BytesIO(answer_to(content, PNG)[1]["a"])).size == (96, 128)


def test_damaged_exif_of_a_preview_gives_way_to_that_of_the_raw_and_that_is_said() -> None:
    content = with_preview_of({0x010F: "a maker"}, {0x8298: b"(c) of the raw\0"}, 6)
    content = content.replace(b"Exif\0\0MM\0*", b"Exif\0\0ZZ\0*").replace(b"Exif\0\0II*\0", b"Exif\0\0ZZ*\0")
    answer, files = answer_to(content, Spec("a", 96, metadata=Metadata.RIGHTS))
    assert "damaged EXIF ignored" in answer.warnings
    image = Image.open(io.BytesIO(files["a"]))
    assert (image.size, image.getexif()[0x8298]) == ((96, 128), "(c) of the raw")


def test_keep_smaller_keeps_no_preview_because_the_rights_are_in_the_raw() -> None:
    noise = Image.effect_noise((64, 48), 80).convert("RGB")
    tiff = Tiff(magic=b"IIU\0")
    tags: Tags = {0x2E: encoded(noise, "JPEG", quality=30), 0x8298: b"(c) somebody\0"}
    answer, files = answer_to(tiff.whole(tiff.directory(tags)), Spec("a", quality=95, keep_smaller=True))
    (made,) = answer.renditions
    assert isinstance(made, Rendered)
    assert made.status is Status.DONE
    assert b"(c) somebody" in files["a"]


@pytest.mark.parametrize(
    "content",
    [
        b"II*\0\x08\0\0\0",
        b"II*\0\x08\0\0\0\xff\xff" + bytes(40),
        b"MM\0*" + bytes(100),
        b"FUJIFILMCCD-RAW" + b"\xff" * 200,
        box(b"ftyp", b"crx \0\0\0\1") + box(b"moov", box(b"trak", box(b"mdia", box(b"stsz", b"")))),
        box(b"ftyp", b"crx \0\0\0\1") + reduce(lambda inner, kind: box(kind, inner), [b"moov"] * 2_000, b""),
        cr2()[:100],
        b"II*\0\x08\0\0\0\x01\0\x4a\x01\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0",  # directories in a circle
    ],
)
def test_a_raw_without_one_is_unsupported(content: bytes) -> None:
    with pytest.raises(PictureError) as caught:
        preview(content)
    assert caught.value.kind == ErrorKind.UNSUPPORTED


def test_a_raw_of_endless_boxes_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[object] = []

    def counted(view: View, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
        for found in boxes(view, at, end):
            looked.append(found)
            yield found

    monkeypatch.setattr(raw, "boxes", counted)
    monkeypatch.setattr(raw, "_size", lambda *span: looked.append(span))
    sizes = box(b"stsz", struct.pack(">LLL", 0, 9, 1)) * 3_000
    for content in (sizes, box(b"CMT1", nef()[:9]) * 3_000, box(b"moov") * 3_000):
        looked.clear()
        with pytest.raises(PictureError):
            preview(box(b"ftyp", b"crx \0\0\0\1") + content)
        assert len(looked) < 500
    preview_of_all = box(b"uuid", bytes.fromhex("eaf42b5e1c984b88b9fbb7dc406e4d16"), bytes(8), sizes)
    looked.clear()
    with pytest.raises(PictureError):
        preview(box(b"ftyp", b"crx \0\0\0\1") + preview_of_all * 2)
    assert len(looked) < 500


def test_no_byte_of_it_makes_our_own_code_fail() -> None:
    for content in (nef(), cr2(), cr3(), raf(), rw2()):
        places = [at for at in range(len(content)) if content[at : at + 64] not in LARGE][:400]
        for at in places:
            for value in (0, 0xFF):
                with suppress(PictureError):
                    preview(content[:at] + bytes((value,)) + content[at + 1 :])
