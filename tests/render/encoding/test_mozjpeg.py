from __future__ import annotations

import io
from dataclasses import replace
from itertools import pairwise

import pytest
from PIL import Image, ImageChops, ImageStat, JpegImagePlugin

from pipeline.errors import PictureError
from pipeline.model.spec import Metadata, Profile, Spec, Subsampling
from pipeline.render.encoding import mozjpeg
from pipeline.render.pixels import libvips
from tests.pictures import DISPLAY_P3, encoded, exif, matrix_profile, noise, quarters
from tests.render.drawing import answer_to, rendition

pytestmark = pytest.mark.skipif(not libvips.available(), reason="needs libvips")
PICTURE = Image.blend(quarters((400, 300)), noise((400, 300), 90, seed=3).convert("RGB"), 0.3)


def made(source: bytes, spec: Spec) -> bytes:
    return answer_to(source, spec)[1][spec.name]


def distance(first: Image.Image, other: Image.Image) -> float:
    return max(ImageStat.Stat(ImageChops.difference(first, other)).mean)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_an_optimized_jpeg_has_fewer_bytes_and_is_as_close(mode: str) -> None:
    picture = PICTURE.convert(mode)
    told: dict[str, object] = {"quality": 82, "subsampling": "4:4:4" if mode == "CMYK" else "4:2:0"}
    plain = encoded(picture, "JPEG", **told, optimize=True, progressive=True)
    better = mozjpeg.jpeg(picture, told)
    assert len(better) < len(plain)
    with Image.open(io.BytesIO(plain)) as usual, Image.open(io.BytesIO(better)) as image:
        assert (image.mode, image.size, "progressive" in image.info) == (mode, picture.size, True)
        assert distance(image, picture) < distance(usual, picture) * 1.2


def test_what_a_jpeg_says_is_the_same_whoever_encodes_it() -> None:
    profile = matrix_profile(DISPLAY_P3)
    content = encoded(PICTURE, "JPEG", exif=exif({0x8298: "(c) Ada"}), icc_profile=profile, dpi=(72, 300))
    kept = Spec("a", profile=Profile.KEEP, metadata=Metadata.KEEP)
    heads = [said(made(content, replace(kept, optimize=each))) for each in (False, True)]
    assert heads[0] == heads[1]
    assert any(b"(c) Ada" in segment for segment in heads[0])
    assert any(profile in segment for segment in heads[0])


def said(jpeg: bytes) -> list[bytes]:
    """The segments before the quantisation tables."""
    ends = [2]
    while jpeg[ends[-1] + 1] != 0xDB:
        ends.append(ends[-1] + 2 + int.from_bytes(jpeg[ends[-1] + 2 : ends[-1] + 4]))
    return [jpeg[start:end] for start, end in pairwise(ends)]


@pytest.mark.parametrize("sampling", [Subsampling.FULL, Subsampling.QUARTER, None])
@pytest.mark.parametrize("quality", [50, 95])
def test_an_optimized_jpeg_is_subsampled_like_any_other(sampling: Subsampling | None, quality: int) -> None:
    source = encoded(PICTURE, "PNG")
    specs = (Spec("a", quality=quality, subsampling=sampling, optimize=each) for each in (False, True))
    first, second = (JpegImagePlugin.get_sampling(rendition(source, spec)) for spec in specs)
    assert first == second


def test_max_bytes_is_kept_by_optimized_files() -> None:
    source = encoded(PICTURE, "PNG")
    most = len(made(source, Spec("a", optimize=True))) * 2 // 3
    assert most // 2 < len(made(source, Spec("a", optimize=True, max_bytes=most))) <= most


def test_without_libvips_the_rendition_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libvips, "module", lambda: None)
    with pytest.raises(PictureError, match="optimize: needs libvips, which is not installed; to have it: "):
        mozjpeg.jpeg(PICTURE, {})
