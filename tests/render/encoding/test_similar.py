from __future__ import annotations

import io
import os

import pytest
from PIL import Image

from pipeline.model.rendering import Rendered, RenderTask
from pipeline.model.spec import DEFAULT_QUALITY, Format, Hdr, Limits, Similarity, Spec
from pipeline.render.encoding import similar
from pipeline.render.encoding.encode import encode
from pipeline.render.encoding.encode_input import EncodeInput
from pipeline.render.line import render
from pipeline.render.pixels import libvips
from pipeline.render.pixels.ssimulacra2 import Original
from pipeline.workers.exchange import whole
from tests.pictures import WRITTEN, descriptor_of, encoded, noise, png16, quarters
from tests.render.drawing import answer_to

pytestmark = pytest.mark.skipif(not libvips.available(), reason="needs libvips")
PICTURE = Image.blend(quarters((64, 48)), noise((64, 48), 70, seed=8).convert("RGB"), 0.5)
SOURCE = encoded(PICTURE, "PNG")
LOSSY = tuple(format_ for format_ in WRITTEN if format_ in DEFAULT_QUALITY)


def made(spec: Spec, source: bytes = SOURCE) -> tuple[Rendered, bytes]:
    answer, files = answer_to(source, spec)
    (rendition,) = answer.renditions
    assert isinstance(rendition, Rendered), rendition
    return rendition, files[spec.name]


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """The qualities of the search, in order."""
    qualities: list[int | None] = []

    def counted(encode_input: EncodeInput, spec: Spec, quality: int | None) -> tuple[int, int]:
        qualities.append(quality)
        return encode(encode_input, spec, quality)

    monkeypatch.setattr(similar, "encode", counted)
    return qualities


@pytest.mark.parametrize("target", LOSSY)
def test_the_lowest_quality_is_found_that_is_similar_enough(target: Format, tried: list[int | None]) -> None:
    goal = 70
    found, content = made(Spec("a", format=target, quality=Similarity(goal)))
    assert found.quality is not None
    assert found.score is not None
    assert found.score >= goal
    assert len(tried) <= 5
    with Image.open(io.BytesIO(content)) as image:
        assert found.score == pytest.approx(Original(PICTURE).score(image), abs=0.01)
    assert content == made(Spec("a", format=target, quality=found.quality))[1]
    if found.score >= goal + 0.5:  # then the next lower quality that was tried is one that is too low
        assert found.quality - 1 in tried or len(tried) == 5


def test_the_same_pixels_have_the_same_quality_whatever_came_before() -> None:
    spec = Spec("a", quality=Similarity(60))
    first = made(spec)[1]
    made(spec, encoded(quarters((64, 48)), "PNG"))
    assert made(spec)[1] == first


def test_a_hint_spares_the_search(tried: list[int | None]) -> None:
    spec = Spec("a", quality=Similarity(70))
    found, content = made(spec)
    assert found.quality is not None
    tried.clear()
    descriptor = descriptor_of(SOURCE)
    task = RenderTask((spec,), Limits(), hints=(("a", found.quality),))
    *_, (answer, (again,)) = render(whole(descriptor), task)
    with os.fdopen(again, "rb") as file:
        assert file.read() == content
    os.close(descriptor)
    assert answer.renditions[0].score == found.score  # type: ignore[attr-defined]
    assert tried == [found.quality]


def test_max_bytes_goes_before_a_similarity() -> None:
    found, content = made(Spec("a", quality=Similarity(80)))
    most = len(content) * 2 // 3
    smaller, less = made(Spec("a", quality=Similarity(80), max_bytes=most))
    assert len(less) <= most
    assert smaller.score is not None
    assert found.score is not None
    assert smaller.score < 80 <= found.score
    assert made(Spec("a", quality=Similarity(80), max_bytes=len(content)))[1] == content


def test_what_no_quality_reaches_is_made_at_the_best_and_says_so() -> None:
    found, _ = made(Spec("a", format=Format.WEBP, quality=Similarity(95)))
    assert found.quality == 100
    assert found.warnings == (f"ssimulacra2 95 is out of reach: quality 100 has {found.score:g}",)


def test_pictures_too_small_to_be_measured_have_the_usual_quality() -> None:
    source = encoded(PICTURE.resize((40, 7)), "PNG")
    found, content = made(Spec("a", quality=Similarity(20)), source)
    assert (found.quality, found.score) == (None, None)
    assert content == made(Spec("a"), source)[1]


def test_of_an_animation_the_first_frame_is_measured() -> None:
    calm = Image.new("RGB", PICTURE.size, "navy")
    moving = encoded(PICTURE, "PNG", save_all=True, append_images=[calm], duration=50)
    found, content = made(Spec("a", format=Format.WEBP, quality=Similarity(60)), moving)
    still, _ = made(Spec("a", format=Format.WEBP, quality=Similarity(60)))
    assert (found.quality, found.score) == (still.quality, still.score)
    with Image.open(io.BytesIO(content)) as image:
        assert image.n_frames == 2  # type: ignore[attr-defined]


def test_transparency_is_measured_too() -> None:
    clear = PICTURE.convert("RGBA")
    clear.putalpha(noise(PICTURE.size, 60, seed=4))
    found, _ = made(Spec("a", format=Format.AVIF, quality=Similarity(50)), encoded(clear, "PNG"))
    assert found.score is not None
    assert found.score >= 50


def test_what_stays_hdr_is_measured_as_other_screens_show_it() -> None:
    levels = [round(each * 180) for each in PICTURE.tobytes()]  # PQ, up to some 900 cd/m2
    content = png16(PICTURE.size, "RGB", levels, (b"cICP", bytes((9, 16, 0, 1))))
    found, kept = made(Spec("a", format=Format.AVIF, hdr=Hdr.KEEP, quality=Similarity(70)), content)
    seen = [Image.open(io.BytesIO(made(Spec("a", format=Format.PNG), each)[1])) for each in (content, kept)]
    assert found.score == pytest.approx(Original(seen[0]).score(seen[1]), abs=0.01)
