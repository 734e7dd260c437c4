"""Gain maps of Apple's kind become ones of Adobe's and ISO's kind, with the same brightness."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from pipeline.errors import ErrorKind
from pipeline.model.rendering import NotRendered, Rendered
from pipeline.model.spec import Format, Hdr, Metadata, Private, Profile, Spec
from pipeline.render.colour.cicp import named
from pipeline.render.formats import apple_gain_map, heif
from pipeline.render.formats.apple_gain_map import in_jpeg
from pipeline.render.formats.jpeg import Jpeg
from pipeline.render.metadata import exif
from pipeline.render.pixels import libvips
from tests.gain_maps import apple_heic, apple_jpeg, apple_notes, apple_xmp, exif_with
from tests.pictures import encoded, quarters
from tests.render.drawing import answer_to

needs_heif = pytest.mark.skipif(not heif.is_installed(), reason="needs pillow-heif")
needs_libvips = pytest.mark.skipif(not libvips.available(), reason="needs libvips")

SIZE, SMALL = (192, 144), (96, 72)
KEPT = Spec("a", 96, hdr=Hdr.KEEP)
DROPPED = "gain map dropped; hdr: keep would keep it in jpegs"


def bright(size: tuple[int, int] = SMALL) -> Image.Image:
    """A gain map that is bright above left."""
    image = Image.new("L", size)
    image.paste(255, (0, 0, size[0] // 2, size[1] // 2))
    return image


def loaded(content: bytes) -> Any:
    import pyvips

    return pyvips.Image.uhdrload_buffer(content)


def map_of(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(loaded(content).get("gainmap-data")))


def warnings(content: bytes, spec: Spec = KEPT) -> tuple[str, ...]:
    (made,) = answer_to(content, spec)[0].renditions
    assert isinstance(made, Rendered)
    return made.warnings


@pytest.mark.parametrize("level", [0, 1, 9, 20, 128, 200, 255])
@pytest.mark.parametrize("headroom", [1.5, 4.0, 8.0])
def test_each_place_is_as_bright_as_by_apples_formula(level: int, headroom: float) -> None:
    content = apple_jpeg(quarters(SIZE), Image.new("L", SMALL, level), headroom)
    found = in_jpeg(Jpeg(io.BytesIO(content)), content, SIZE, exif.Exif())
    assert found is not None
    made = found.image.getpixel((9, 9))
    assert isinstance(made, int)
    light = level / 255
    linear = light / 4.5 if light < 0.081 else ((light + 0.099) / 1.099) ** (1 / 0.45)
    wanted = math.log2(1 + (headroom - 1) * linear)
    stops = math.log2(headroom)
    assert found.numbers.most == pytest.approx([stops] * 3)
    assert abs(made / 255 * stops - wanted) <= stops / 255 / 2 + 1e-9


@needs_libvips
@pytest.mark.parametrize(
    ("headroom", "gain", "wanted"),
    [
        (1.01, 0.00608, 5.9562),
        (1.01, 0.63262, 4.3209),
        (1.01, None, 8.0),
        (0.74, 0.005, 3.2490),
        (0.74, 1.5, 2.7311),
    ],
)
def test_the_headroom_is_computed_from_the_makers_notes(headroom: float, gain: float | None, wanted: float) -> None:
    content = apple_jpeg(quarters(SIZE), bright(), None, exif_with(apple_notes(headroom, gain)))
    answer, files = answer_to(content, KEPT)
    assert answer.warnings == ()
    assert loaded(files["a"]).get("gainmap-max-content-boost") == pytest.approx([wanted] * 3, rel=1e-3)
    assert loaded(files["a"]).get("gainmap-hdr-capacity-max") == pytest.approx(wanted, rel=1e-3)
    assert map_of(files["a"]).size == (48, 36)


@needs_libvips
def test_the_headroom_of_its_own_xmp_counts_first() -> None:
    content = apple_jpeg(quarters(SIZE), bright(), 3.0, exif_with(apple_notes(1.01)))
    boost = loaded(answer_to(content, KEPT)[1]["a"]).get("gainmap-max-content-boost")
    assert boost == pytest.approx([3.0] * 3, rel=1e-3)


@needs_libvips
def test_where_iso_numbers_are_beside_they_count() -> None:
    from tests.render.encoding.test_gain_map import source

    content = source()
    at = content.index(b"\xff\xd8", 10)  # of the gain map
    packet = b"http://ns.adobe.com/xap/1.0/\0" + apple_xmp(3.0)
    segment = b"\xff\xe1" + (len(packet) + 2).to_bytes(2) + packet
    size = len(content) - at
    content = content.replace(size.to_bytes(4), (size + len(segment)).to_bytes(4))
    content = content[: at + 2] + segment + content[at + 2 :]
    boost = loaded(answer_to(content, KEPT)[1]["a"]).get("gainmap-max-content-boost")
    assert boost == pytest.approx([4.0] * 3, rel=1e-3)


@needs_libvips
@pytest.mark.parametrize(
    ("orientation", "corner"),
    [(1, (0, 0)), (2, (1, 0)), (3, (1, 1)), (4, (0, 1)), (5, (0, 0)), (6, (1, 0)), (7, (1, 1)), (8, (0, 1))],
)
def test_it_is_turned_with_its_picture(orientation: int, corner: tuple[int, int]) -> None:
    content = apple_jpeg(quarters(SIZE), bright(), 4.0, exif_with(apple_notes(1.01), orientation))
    assert _bright_corners(map_of(answer_to(content, KEPT)[1]["a"]), upright=orientation < 5) == [corner]


@needs_heif
@needs_libvips
@pytest.mark.parametrize(("turns", "corner"), [(0, (0, 0)), (1, (0, 1)), (2, (1, 1)), (3, (1, 0))])
def test_that_of_a_heic_goes_into_jpegs_and_is_turned_as_the_file_says(turns: int, corner: tuple[int, int]) -> None:
    content = apple_heic(quarters(SIZE), bright(), exif_with(apple_notes(1.01, 0.00608)), turns)
    answer, files = answer_to(content, KEPT)
    assert answer.warnings == warnings(content) == ()
    assert loaded(files["a"]).get("gainmap-max-content-boost") == pytest.approx([5.9562] * 3, rel=1e-3)
    assert _bright_corners(map_of(files["a"]), upright=turns in (0, 2)) == [corner]
    assert answer_to(content, Spec("a", 96))[0].warnings == (DROPPED,)


def _bright_corners(image: Image.Image, *, upright: bool) -> list[tuple[int, int]]:
    assert (image.width > image.height) == upright
    middle = [
        (x, y, image.getpixel((image.width // 4 + x * image.width // 2, image.height // 4 + y * image.height // 2)))
        for x in (0, 1)
        for y in (0, 1)
    ]
    return [(x, y) for x, y, level in middle if isinstance(level, int) and level > 200]


def test_one_that_cannot_be_kept_is_dropped_and_the_reason_is_said() -> None:
    def dropped(gain: Image.Image, headroom: float | None = 4.0, notes: bytes = b"", spec: Spec = KEPT) -> str:
        content = apple_jpeg(quarters(SIZE), gain, headroom, exif_with(notes))
        (said,) = warnings(content, spec)
        assert b"gain" not in answer_to(content, spec)[1]["a"]
        return said.removeprefix("gain map dropped: ")

    unsaid = "it does not say how much brighter it makes its picture"
    assert dropped(bright(), None) == unsaid
    assert dropped(bright(), None, b"Somebody's notes") == unsaid
    assert dropped(bright(), None, apple_notes(1.01)[:40]) == unsaid
    assert dropped(bright(), None, apple_notes(1.01, 100.0)) == unsaid  # its headroom is below 1
    assert dropped(bright(), None, apple_notes(1.01, -9_000.0)) == unsaid
    assert dropped(bright(), 1000.0) == unsaid
    assert dropped(bright((72, 96))) == "it has not the shape of its picture"
    assert dropped(bright().convert("RGB")) == "not of a kind that can be kept here"
    assert dropped(bright((384, 288))) == "not of a kind that can be kept here"
    assert dropped(bright(), spec=replace(KEPT, page=0)) == "page takes a picture alone"
    assert dropped(bright(), spec=replace(KEPT, format=Format.AVIF)) == "not of a kind that can be kept here"


def test_one_that_is_damaged_is_dropped_and_costs_nothing_else() -> None:
    jpeg = apple_jpeg(quarters(SIZE), bright(), 4.0)
    assert warnings(jpeg[:-100]) == ("gain map dropped: it is damaged",)


@needs_heif
def test_one_of_a_heic_that_is_damaged_is_dropped_and_costs_nothing_else() -> None:
    content = apple_heic(quarters(SIZE), bright(), exif_with(apple_notes(1.01)))
    second = content.index(b"ispe", content.index(b"ispe") + 4) + 8
    assert warnings(content[:second] + b"\xff" * 8 + content[second + 8 :]) == ("gain map dropped: it is damaged",)


@needs_libvips
def test_it_outlives_a_change_of_primaries_and_leaves_apples_numbers_behind() -> None:
    notes = exif_with(apple_notes(1.01))
    content = apple_jpeg(quarters(SIZE), bright(), 4.0, notes)
    kept = replace(KEPT, metadata=Metadata.KEEP, profile=Profile.DISPLAY_P3)
    made = answer_to(content, kept)[1]["a"]
    assert b"ns.apple.com" not in made
    assert b"Apple iOS" not in made
    assert Image.open(io.BytesIO(made)).info["icc_profile"] == named(Profile.DISPLAY_P3)
    assert map_of(made).size == (48, 36)
    assert b"Apple iOS" in answer_to(content, replace(kept, private=(Private.MAKER_NOTES,)))[1]["a"]


def test_a_file_of_two_pictures_without_one_has_none() -> None:
    content = encoded(quarters(SIZE), "MPO", save_all=True, append_images=[bright()])
    assert in_jpeg(Jpeg(io.BytesIO(content)), content, SIZE, exif.Exif()) is None


def test_a_mistake_of_our_own_is_not_called_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apple_gain_map, "check_size", None)
    (made,) = answer_to(apple_jpeg(quarters(SIZE), bright(), 4.0), KEPT)[0].renditions
    assert isinstance(made, NotRendered)
    assert made.error.kind is ErrorKind.INTERNAL
