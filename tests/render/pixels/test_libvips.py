from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat

from pipeline.model.rendering import NotRendered, Rendered
from pipeline.model.shape import Resampler
from pipeline.model.spec import Fit, Format, Spec
from pipeline.render.geometry.fit import Size, place
from pipeline.render.pixels import libvips
from pipeline.render.pixels.arrow_view import arrow_view
from pipeline.render.pixels.frame import Frame
from pipeline.render.pixels.libvips import window
from pipeline.render.pixels.resize import resample
from tests.pictures import ADOBE_RGB, encoded, matrix_profile
from tests.render.drawing import answer_to, rendition
from tests.render.scenes import scene

pytestmark = pytest.mark.skipif(not libvips.available(), reason="needs libvips")

LANCZOS = Image.Resampling.LANCZOS


def difference(first: Image.Image, other: Image.Image) -> float:
    """The mean difference of the channel that differs most, in levels."""
    return max(ImageStat.Stat(ImageChops.difference(first, other)).mean)


@pytest.mark.parametrize("mode", ["L", "La", "RGB", "RGBa", "CMYK"])
@pytest.mark.parametrize(
    ("size", "bound"), [((399, 299), 0.5), ((150, 113), 0.5), ((47, 31), 0.7), ((3, 2), 6), ((1, 1), 9)]
)
def test_it_makes_what_pillows_lanczos_makes(mode: str, size: tuple[int, int], bound: float) -> None:
    image = scene((400, 300)).convert("RGBA" if mode in ("La", "RGBa") else "RGB")
    if mode in ("La", "RGBa"):
        image.putalpha(Image.radial_gradient("L").resize(image.size))
        image = image.convert("LA" if mode == "La" else "RGBA")
    image = image.convert(mode)
    # On single pixels beside hard edges they differ by much more: each clips overshoots between its two passes, and one
    # goes down first, the other across.
    assert (
        difference(libvips.shrunk(image, (0, 0, 400, 300), size), image.resize(size, LANCZOS, reducing_gap=3)) < bound
    )


@pytest.mark.parametrize(
    "box", [(0, 0, 400.0, 299.25), (50, 0, 350, 300), (50.5, 10.25, 349.5, 289), (7.1, 0, 390, 44.4)]
)
def test_a_box_between_pixels_is_met_to_a_quarter_of_a_pixel(box: tuple[float, float, float, float]) -> None:
    image = scene((400, 300))
    size = round((box[2] - box[0]) / 2.3), round((box[3] - box[1]) / 2.3)
    assert (
        difference(libvips.shrunk(image, box, size), image.resize(size, LANCZOS, box=box)) < 2.5
    )  # what a quarter makes


@settings(max_examples=500)
@given(
    length=st.integers(1, 20_000),
    edges=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    part=st.floats(0, 1),
)
def test_a_window_yields_the_size_asked_for_and_lies_within(
    length: int, edges: tuple[float, float], part: float
) -> None:
    low, high = sorted(edge * length for edge in edges)
    count = max(1, int((high - low) * part))
    if high - low < count:
        return
    start, end, factor = window(low, high, length, count)
    assert 0 <= start < end <= length
    assert int((end - start) / factor + 0.5) == count
    assert factor >= 1
    assert abs((start + end) - (low + high)) <= 2.0
    assert abs((end - start) - (high - low)) <= max(2.0, factor)


def test_how_it_is_cut_into_strips_and_pieces_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    image = scene((400, 300))
    monkeypatch.setattr(libvips, "arrow_view", lambda image: None)
    whole = libvips.shrunk(image, (0, 0, 400, 300), (171, 128)).tobytes()
    for strip, piece in ((1, 2**21), (7, 400 * 3), (1000, 400), (64, 400 * 299)):
        monkeypatch.setattr(libvips, "_STRIP", strip)
        monkeypatch.setattr(libvips, "_PIECE", piece)
        assert libvips.shrunk(image, (0, 0, 400, 300), (171, 128)).tobytes() == whole


@pytest.mark.parametrize(("mode", "linear"), [*product(["L", "RGB", "RGBA"], [False, True]), ("CMYK", False)])
def test_whether_pillows_memory_is_read_or_copied_changes_nothing(
    mode: str, linear: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = scene((400, 300)).convert(mode)
    box = (10.0, 7.5, 390.0, 290.0)
    assert arrow_view(image) is not None
    read = libvips.shrunk(image, box, (171, 128), linear=linear)
    monkeypatch.setattr(libvips, "arrow_view", lambda image: None)
    copied = libvips.shrunk(image, box, (171, 128), linear=linear)
    assert (read.mode, read.tobytes()) == (copied.mode, copied.tobytes())


def test_any_number_of_threads_make_the_same() -> None:
    images = [scene((320 + 16 * number, 240)) for number in range(4)]

    def small(number: int) -> bytes:
        image = images[number % 4]
        return libvips.shrunk(image, (0, 0, *image.size), (120, 90)).tobytes()

    alone = [small(number) for number in range(4)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(small, range(40))) == alone * 10


@pytest.mark.parametrize("size", [200, 400])
def test_both_resamplers_come_as_close_to_the_best_that_could_be_made(size: int) -> None:
    from scripts.quality import ssim

    image = scene((1600, 1200))
    content = encoded(image, "JPEG", quality=95)
    best = image.resize((size, size * 3 // 4), LANCZOS)
    scores = {
        resampler: ssim(
            best, rendition(content, Spec("a", size, format=Format.PNG, resampler=resampler)).convert("RGB")
        )
        for resampler in Resampler
    }
    assert min(scores.values()) > 0.85, scores
    assert abs(scores[Resampler.PILLOW] - scores[Resampler.LIBVIPS]) < 0.002, scores
    assert scores[Resampler.AUTO] == scores[Resampler.LIBVIPS]


def test_auto_leaves_small_pictures_and_enlarging_to_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Size] = []

    def noted(image: Image.Image, *arguments: Any, **more: Any) -> Image.Image:
        calls.append(image.size)
        return shrunk(image, *arguments, **more)

    shrunk = libvips.shrunk
    monkeypatch.setattr(libvips, "shrunk", noted)
    large, small = encoded(scene((400, 300)), "PNG"), encoded(scene((100, 75)), "PNG")
    for content, spec, by in (
        (large, Spec("a", 100), True),
        (small, Spec("a", 50), False),
        (small, Spec("a", 50, resampler=Resampler.LIBVIPS), True),
        (large, Spec("a", 100, resampler=Resampler.PILLOW), False),
        (large, Spec("a", 800, enlarge=True, resampler=Resampler.LIBVIPS), False),
        (large, Spec("a", 500, 100, Fit.FILL, enlarge=True), False),
    ):
        with Image.open(io.BytesIO(content)) as image:
            frame = Frame(image.convert("RGB"), 1)
        placement = place(frame.image.size, spec)
        calls.clear()
        assert resample(frame, placement, frame.image.size, 1, spec).size == placement.size
        assert bool(calls) is by


def test_records_name_libvips_where_it_may_have_been_used() -> None:
    content = encoded(scene((40, 30)), "PNG")
    auto, pillow = Spec("a", 10), Spec("b", 10, resampler=Resampler.PILLOW)
    assert " vips=" in answer_to(content, auto, pillow)[0].libraries
    assert " vips=" not in answer_to(content, pillow)[0].libraries


def test_a_profile_is_applied_to_what_it_made() -> None:
    image = Image.new("RGB", (400, 300), (100, 200, 50))
    content = encoded(image, "PNG", icc_profile=matrix_profile(ADOBE_RGB, 2.2))
    spec = Spec("a", 100, format=Format.PNG, resampler=Resampler.LIBVIPS)
    pillow = Spec("a", 100, format=Format.PNG, resampler=Resampler.PILLOW)
    assert rendition(content, spec).getcolors() == rendition(content, pillow).getcolors()


def test_asked_for_and_not_there_is_a_failure_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libvips, "module", lambda: None)
    content = encoded(scene((400, 300)), "PNG")
    answer, _files = answer_to(content, Spec("a", 100, resampler=Resampler.LIBVIPS), Spec("b", 100))
    failed, made = answer.renditions
    assert isinstance(failed, NotRendered)
    assert "needs libvips" in failed.error.detail
    assert isinstance(made, Rendered)
