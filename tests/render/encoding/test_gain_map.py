"""Gain maps from JPEG to JPEG, read back by libultrahdr."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from pipeline.model.rendering import NotRendered, Rendered
from pipeline.model.spec import Fit, Format, Hdr, Metadata, Private, Profile, Spec, Verify
from pipeline.render import rendition
from pipeline.render.colour import srgb
from pipeline.render.colour.cicp import named
from pipeline.render.encoding.gain_map import encoded as gain_map
from pipeline.render.encoding.gain_map import with_gain
from pipeline.render.encoding.inspect import inspect
from pipeline.render.formats.gain_map import Numbers
from pipeline.render.metadata.exif import Entry, Exif, write
from pipeline.render.pixels import libvips
from tests.pictures import encoded, exif, quarters
from tests.render.drawing import answer_to

pytestmark = pytest.mark.skipif(not libvips.available(), reason="needs libvips")

NUMBERS = Numbers((0.0,) * 3, (2.0,) * 3, (1.0,) * 3, (0.015625,) * 3, (0.015625,) * 3, (0.0, 2.5))
APART = replace(NUMBERS, most=(2.0, 1.5, 1.0))
PLACE = write(Exif(gps={1: Entry(2, b"N\0")}))
KEPT = Spec("a", 64, hdr=Hdr.KEEP)
DROPPED = "gain map dropped; hdr: keep would keep it in jpegs"
CONVERTED = "gain map dropped: its three channels are for other primaries than those that colours are converted to"
CANNOT = "gain map dropped: not of a kind that can be kept here"


def bright(mode: str = "L") -> Image.Image:
    """A gain map of 80 x 60 that is bright above left."""
    image = Image.new(mode, (80, 60))
    image.paste((255,) * len(mode) if mode != "L" else 255, (0, 0, 40, 30))
    return image


def source(mode: str = "L", numbers: Numbers = NUMBERS, **options: object) -> bytes:
    return with_gain(encoded(quarters((160, 120)), "JPEG", quality=90, **options), gain_map(bright(mode), numbers))


def read(content: bytes) -> Any:
    import pyvips

    return pyvips.Image.uhdrload_buffer(content)


def map_of(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(read(content).get("gainmap-data")))


@pytest.mark.parametrize(("mode", "numbers"), [("L", NUMBERS), ("RGB", APART)])
def test_it_is_kept_with_its_numbers(mode: str, numbers: Numbers) -> None:
    answer, files = answer_to(source(mode, numbers), KEPT)
    assert answer.warnings == ()
    loaded = read(files["a"])
    assert (loaded.width, loaded.height) == (64, 48)
    assert loaded.get("gainmap-max-content-boost") == pytest.approx([2**stops for stops in numbers.most], rel=1e-4)
    assert loaded.get("gainmap-min-content-boost") == [1.0] * 3
    assert loaded.get("gainmap-offset-sdr") == pytest.approx([0.015625] * 3)
    assert loaded.get("gainmap-hdr-capacity-max") == pytest.approx(2**2.5, rel=1e-4)
    assert map_of(files["a"]).mode == mode
    assert map_of(files["a"]).size == (32, 24)


@pytest.mark.parametrize("hidden", [b"urn:iso:std:iso:ts:21496:-1", b"http://ns.adobe.com/xap/1.0/"])
def test_each_of_the_two_forms_is_enough_for_a_reader(hidden: bytes) -> None:
    content = answer_to(source(), KEPT)[1]["a"].replace(hidden, b"-" * len(hidden))
    assert read(content).get("gainmap-max-content-boost") == pytest.approx([4.0] * 3, rel=1e-4)
    again = answer_to(content, KEPT)[1]["a"]
    assert read(again).get("gainmap-max-content-boost") == pytest.approx([4.0] * 3, rel=1e-4)


@pytest.mark.parametrize(
    ("orientation", "corner"), [(1, (0, 0)), (2, (1, 0)), (3, (1, 1)), (4, (0, 1)), (6, (1, 0)), (8, (0, 1))]
)
def test_it_is_turned_with_its_picture(orientation: int, corner: tuple[int, int]) -> None:
    content = source(exif=exif({0x0112: orientation}))
    image = map_of(answer_to(content, KEPT)[1]["a"])
    assert (image.width < image.height) == (orientation > 4)
    for x in (0, 1):
        for y in (0, 1):
            level = image.getpixel((image.width // 4 + x * image.width // 2, image.height // 4 + y * image.height // 2))
            assert isinstance(level, int)
            assert (level > 200) == ((x, y) == corner)


def test_it_is_cropped_with_its_picture() -> None:
    from pipeline.model.shape import Extract, Length

    corner = Extract(Length(0), Length(0), Length(50, percent=True), Length(50, percent=True))
    _, files = answer_to(source(), replace(KEPT, extract=corner))
    assert min(map_of(files["a"]).convert("L").tobytes()) > 240
    _, files = answer_to(source(), Spec("a", 48, 48, Fit.COVER, hdr=Hdr.KEEP))
    assert map_of(files["a"]).size == (24, 24)


def test_metadata_stays_beside_it_and_max_bytes_counts_both() -> None:
    content = source(exif=exif({0x8298: "somebody"}))
    _, files = answer_to(content, replace(KEPT, metadata=Metadata.RIGHTS, max_bytes=4_000))
    assert b"somebody" in files["a"]
    assert len(files["a"]) <= 4_000
    assert map_of(files["a"]).size == (32, 24)
    assert map_of(answer_to(content, replace(KEPT, optimize=True))[1]["a"]).size == (32, 24)


@pytest.mark.parametrize("width", [64, 160])
def test_a_comment_in_it_does_not_go_along(width: int) -> None:
    gain, comment = gain_map(bright(), NUMBERS), b"\xff\xfe\x00\x0aat home!"
    tables = gain.index(b"\xff\xdb")
    content = with_gain(encoded(quarters((160, 120)), "JPEG"), gain[:tables] + comment + gain[tables:])
    assert b"at home!" not in answer_to(content, replace(KEPT, width=width))[1]["a"]


def test_it_is_dropped_with_a_warning_where_nobody_asks_for_it() -> None:
    for spec in (Spec("a", 64), Spec("a", 64, format=Format.WEBP)):
        answer, files = answer_to(source(), spec)
        assert answer.warnings == (DROPPED,)
        assert b"hdrgm" not in files["a"]
    assert answer_to(encoded(quarters(), "JPEG"), Spec("a", 64))[0].warnings == ()


def test_where_a_format_or_a_kind_cannot_keep_it_the_rendition_says_so() -> None:
    def warnings(content: bytes, spec: Spec) -> tuple[str, ...]:
        (made,) = answer_to(content, spec)[0].renditions
        assert isinstance(made, Rendered)
        return made.warnings

    assert warnings(source(), replace(KEPT, format=Format.AVIF)) == (CANNOT,)
    apples = source().replace(b"http://ns.adobe.com/hdr-gain-map/1.0/", b"http://ns.apple.com/HDRGainMap/1.0.0/")
    apples = apples.replace(b"urn:iso:std:iso:ts:21496:-1", b"-" * 27).replace(b"hdrgm", b"apple")
    assert warnings(apples, KEPT) == (CANNOT,)
    assert warnings(source(numbers=replace(NUMBERS, gamma=(0.0,) * 3)), KEPT) == (CANNOT,)


def test_three_channels_do_not_outlive_a_change_of_primaries_and_one_does() -> None:
    def warnings(mode: str, icc: bytes | None, spec: Spec) -> tuple[str, ...]:
        (made,) = answer_to(source(mode, NUMBERS, icc_profile=icc), spec)[0].renditions
        assert isinstance(made, Rendered)
        return made.warnings

    p3, to_p3 = named(Profile.DISPLAY_P3), replace(KEPT, profile=Profile.DISPLAY_P3)
    assert warnings("RGB", p3, KEPT) == (CONVERTED,)
    assert warnings("RGB", None, to_p3) == (CONVERTED,)
    assert warnings("RGB", p3, replace(KEPT, linear=True)) == (CONVERTED,)
    assert warnings("L", p3, KEPT) == ()
    other_bytes = p3.replace("Display".encode("utf-16-be"), "Another".encode("utf-16-be"))
    for same in (to_p3, replace(KEPT, profile=Profile.KEEP)):
        assert warnings("RGB", other_bytes, same) == ()
    assert warnings("RGB", srgb.profile(), KEPT) == ()
    assert warnings("RGB", b"broken", KEPT) == ()


def test_where_a_page_is_asked_for_that_is_said_to_be_why_it_goes() -> None:
    (made,) = answer_to(source(), replace(KEPT, page=0))[0].renditions
    assert isinstance(made, Rendered)
    assert made.warnings == ("gain map dropped: page takes a picture alone",)


def with_place(gain: bytes) -> bytes:
    """`gain` with EXIF that says where it was."""
    said = b"\xff\xe1" + struct.pack(">H", 2 + len(PLACE)) + PLACE
    return gain[:2] + said + gain[2:]


def test_private_metadata_in_a_gain_map_are_found_and_such_a_file_is_not_delivered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = with_gain(encoded(quarters((160, 120)), "JPEG"), with_place(gain_map(bright(), NUMBERS)))
    assert inspect(content).private == (Private.GPS,)
    (clean,) = answer_to(content, KEPT)[1].values()
    assert inspect(clean).private == ()
    monkeypatch.setattr(rendition, "drawn", lambda *_: with_place(gain_map(bright(), NUMBERS)))
    (failed,) = answer_to(content, KEPT)[0].renditions
    assert isinstance(failed, NotRendered)
    assert "private metadata (gps)" in failed.error.detail


def test_a_decoding_look_decodes_the_gain_map_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(*_: object) -> bytes:
        gain = gain_map(bright(), NUMBERS)
        return gain[: gain.index(b"\xff\xda") + 20]

    monkeypatch.setattr(rendition, "drawn", cut)
    assert isinstance(answer_to(source(), KEPT)[0].renditions[0], Rendered)
    (failed,) = answer_to(source(), replace(KEPT, verify=Verify.DECODE))[0].renditions
    assert isinstance(failed, NotRendered)
    assert "what was encoded cannot be read" in failed.error.detail


def test_a_gain_map_that_is_damaged_is_dropped_and_costs_nothing_else() -> None:
    content = source()
    answer, files = answer_to(content[:-300], KEPT, Spec("b", 64))
    first, other = answer.renditions
    assert isinstance(first, Rendered)
    assert isinstance(other, Rendered)
    assert first.warnings in [("gain map dropped: it is damaged",), (CANNOT,)]
    assert files["a"] == files["b"]
