from __future__ import annotations

import io
import zlib

import pytest
from PIL import Image

from pipeline.model.spec import Format, Private, Spec
from pipeline.render.container.png import png_chunks
from pipeline.render.pixels import libvips
from tests.pictures import encoded, noise, quarters
from tests.render.drawing import answer_to, rendition

needs_libvips = pytest.mark.skipif(not libvips.available(), reason="needs libvips")


def ramp() -> bytes:
    """Few colours cannot show it without dithering."""
    return encoded(Image.linear_gradient("L").resize((64, 64)).convert("RGB"), "PNG")


def film(count: int) -> bytes:
    first = noise((24, 16), 60).convert("RGB")
    frames = [first.rotate(90 * turn, expand=False) for turn in range(count)]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=[80, 240, 70], loop=2)


def runs(image: Image.Image) -> int:
    """How many rows have more than one colour."""
    rgb = image.convert("RGB")
    rows = (rgb.crop((0, y, rgb.width, y + 1)).getcolors() or [] for y in range(rgb.height))
    return sum(len(colours) > 1 for colours in rows)


@needs_libvips
@pytest.mark.parametrize("target", [Format.GIF, Format.PNG])
def test_dither_says_how_strongly(target: Format) -> None:
    counts = [runs(rendition(ramp(), Spec("a", format=target, colors=8, dither=dither))) for dither in (0.0, 1.0)]
    assert counts[0] == 0
    assert counts[1] > 20


@pytest.mark.parametrize("by_libvips", [True, False])
def test_a_film_keeps_its_frames_times_and_count(by_libvips: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not by_libvips:
        monkeypatch.setattr(libvips, "available", lambda: False)
    made = rendition(film(3), Spec("a", format=Format.GIF))
    durations = []
    for number in range(getattr(made, "n_frames", 1)):
        made.seek(number)
        durations.append(made.info["duration"])
    assert durations == [80, 240, 70]
    assert made.info["loop"] == 2


@needs_libvips
def test_the_comment_of_a_film_goes_along_where_it_is_asked_for() -> None:
    first = quarters((8, 8))
    said = b"x" * 600
    content = encoded(first, "GIF", save_all=True, append_images=[first.rotate(90)], duration=100, comment=said)
    _answer, files = answer_to(content, Spec("a", format=Format.GIF, private=(Private.COMMENTS,)))
    with Image.open(io.BytesIO(files["a"])) as made:
        made.seek(1)
        assert made.n_frames == 2  # type: ignore[attr-defined]
        assert made.info["comment"] == said


@needs_libvips
def test_libvips_number_of_threads_changes_no_byte() -> None:
    vips = libvips.module()
    assert vips is not None
    spec, content = Spec("a", format=Format.GIF), film(3)
    before = vips.concurrency_get()
    made = []
    try:
        for count in (1, 5):
            vips.concurrency_set(count)
            made.append(answer_to(content, spec)[1]["a"])
    finally:
        vips.concurrency_set(before)
    assert made[0] == made[1]


def test_a_png_longer_than_a_gif_can_be_has_its_palette() -> None:
    content = encoded(Image.linear_gradient("L").convert("RGB").resize((65_536, 1)), "PNG")
    made = rendition(content, Spec("a", format=Format.PNG, colors=16))
    assert (made.size, made.mode) == ((65_536, 1), "P")
    assert len(made.getcolors() or []) <= 16


@pytest.mark.parametrize(("colors", "bits"), [(2, 1), (4, 2), (16, 4)])
def test_rows_of_few_colours_are_not_filtered(colors: int, bits: int) -> None:
    grey = encoded(Image.linear_gradient("L").convert("RGB").resize((67, 65)), "PNG")
    made = answer_to(grey, Spec("a", format=Format.PNG, colors=colors))[1]["a"]
    chunks = list(png_chunks(made))
    rows = zlib.decompress(b"".join(made[at : at + size] for kind, at, size in chunks if kind == b"IDAT"))
    row = 1 + -(-67 * bits // 8)
    assert (len(rows), set(rows[::row])) == (65 * row, {0})
    with Image.open(io.BytesIO(made)) as image:
        assert len(image.getcolors() or []) == colors
        image.load()
