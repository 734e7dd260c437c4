"""JPEG XL as a format of renditions."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from pipeline.errors import ErrorKind
from pipeline.model.rendering import NotRendered, Rendered
from pipeline.model.spec import Format, Metadata, Similarity, Spec, Verify
from pipeline.render.container.bmff import boxes
from pipeline.render.encoding.inspect import inspect
from pipeline.render.formats import jxl
from tests.pictures import DISPLAY_P3, RED, WRITTEN, encoded, matrix_profile, near, noise, pixel, quarters
from tests.render.drawing import answer_to, rendition

pytestmark = pytest.mark.skipif(Format.JXL not in WRITTEN, reason="needs the extra jxl")
JXL = Spec("a", format=Format.JXL)
SOURCE = encoded(noise((96, 64), 30), "PNG")


def made(content: bytes, spec: Spec) -> tuple[Rendered, bytes]:
    answer, files = answer_to(content, spec)
    (made_,) = answer.renditions
    assert isinstance(made_, Rendered), made_
    return made_, files["a"]


def test_without_the_extra_the_rendition_fails_and_says_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jxl, "is_installed", lambda: False)
    (failed,) = answer_to(SOURCE, JXL)[0].renditions
    assert isinstance(failed, NotRendered)
    assert (failed.error.kind, "--with jxl" in failed.error.detail) == (ErrorKind.NOT_ENCODABLE, True)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("how", [{"lossless": True}, {"quality": 100}], ids=str)
def test_lossless_and_quality_100_are_equal_level_by_level(mode: str, how: dict[str, object]) -> None:
    picture = noise((40, 30), 60).convert("RGB")
    if mode.endswith("A"):
        picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    picture = picture.convert(mode)
    for verify in Verify:
        _, content = made(encoded(picture, "PNG"), Spec("a", format=Format.JXL, verify=verify, **how))  # type: ignore[arg-type]
    with Image.open(io.BytesIO(content)) as image:
        assert (image.mode, image.tobytes()) == (mode, picture.tobytes())


def test_quality_and_effort_reach_the_encoder_and_one_picture_gives_the_same_bytes_each_time() -> None:
    sizes = {quality: len(made(SOURCE, Spec("a", format=Format.JXL, quality=quality))[1]) for quality in (20, 80, 95)}
    assert sizes[20] < sizes[80] < sizes[95]
    efforts = {made(SOURCE, Spec("a", format=Format.JXL, effort=effort))[1] for effort in (1, 4, 7, 9, None)}
    assert len(efforts) == 4
    assert made(SOURCE, JXL)[1] == made(SOURCE, JXL)[1]


def test_it_is_made_to_fit_and_to_be_as_similar_as_asked() -> None:
    whole, _ = made(SOURCE, JXL)
    fitting, content = made(SOURCE, Spec("a", format=Format.JXL, max_bytes=whole.size // 2))
    assert len(content) <= whole.size // 2
    assert fitting.quality is not None
    similar, _ = made(SOURCE, Spec("a", format=Format.JXL, quality=Similarity(70)))
    assert similar.score is not None
    assert 70 <= similar.score < 75


def test_rights_and_density_go_along_and_a_picture_that_says_nothing_is_a_bare_codestream() -> None:
    content = encoded(quarters((64, 48)), "JPEG", exif=b"", dpi=(300, 300))
    said = made(content, Spec("a", format=Format.JXL, density=300, metadata=Metadata.KEEP))[1]
    assert dict(Image.open(io.BytesIO(said)).getexif())[0x011A] == 300
    (box,) = (said[start:end] for kind, start, end in boxes(said, 0, len(said)) if kind == b"Exif")
    assert box[:8] in (b"\0\0\0\0MM\0*", b"\0\0\0\0II*\0")
    assert made(content, JXL)[1].startswith(b"\xff\x0a")


def test_a_wide_profile_becomes_srgb_and_none_is_said() -> None:
    wide = encoded(quarters((64, 48)), "PNG", icc_profile=matrix_profile(DISPLAY_P3))
    for verify in Verify:
        content = made(wide, Spec("a", format=Format.JXL, verify=verify))[1]
    assert not inspect(content).has_profile
    red = pixel(rendition(wide, Spec("a", format=Format.PNG)), (16, 12))
    with Image.open(io.BytesIO(content)) as image:
        assert near(pixel(image, (16, 12)), red, 8)


def test_what_was_written_is_read_again_with_its_colours() -> None:
    content = made(encoded(quarters((64, 48)), "PNG"), JXL)[1]
    image = rendition(content, Spec("a", format=Format.PNG))
    assert near(pixel(image, (16, 12)), RED, 6)
