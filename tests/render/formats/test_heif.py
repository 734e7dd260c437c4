from __future__ import annotations

import io

import pytest
from PIL import Image

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.spec import Format, Spec
from pipeline.render.child.warm_up import render_samples
from pipeline.render.formats import heif
from tests.pictures import BLUE, GREEN, RED, WHITE, as_stored, corners, exif, near, quarters
from tests.render.drawing import answer_to, rendition

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def heic(picture: Image.Image, **options: object) -> bytes:
    from pillow_heif.as_plugin import _save_heif  # not registered with Pillow

    picture.encoderinfo = options
    buffer = io.BytesIO()
    _save_heif(picture, buffer, "a.heic")
    return buffer.getvalue()


def test_without_pillow_heif_it_is_unsupported_and_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heif, "plugin", lambda: None)
    with pytest.raises(PictureError, match=r"HEIF needs pillow-heif, .*; to have it: .*pillow-heif") as caught:
        answer_to(HEIC, Spec("a"))
    assert caught.value.kind == ErrorKind.UNSUPPORTED


def test_pictures_come_out_with_their_colours() -> None:
    content = heic(quarters(), quality=50)
    image = rendition(content, Spec("a", 96, format=Format.PNG))
    for got, wanted in zip(corners(image), (RED, GREEN, BLUE, WHITE), strict=True):
        assert near(got, wanted, 12)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_stands_upright(orientation: int) -> None:
    content = heic(as_stored(quarters(), orientation), exif=exif({0x0112: orientation}), quality=80)
    image = rendition(content, Spec("a", 96, format=Format.PNG))
    assert image.size == (96, 72)
    for got, wanted in zip(corners(image), (RED, GREEN, BLUE, WHITE), strict=True):
        assert near(got, wanted, 12)


def test_a_truncated_one_is_called_so() -> None:
    content = heic(quarters(), quality=50)
    with pytest.raises(PictureError) as caught:
        answer_to(content[: len(content) * 2 // 3], Spec("a"))
    assert caught.value.kind == ErrorKind.TRUNCATED


def test_the_warm_up_decodes_one_and_encodes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pillow_heif.HeifFile.save", None)  # with too few threads in the system x265 never returns
    render_samples(lambda held, task: iter(()))
    assert rendition(heif.sample(), Spec("a", 8, format=Format.PNG)).size == (8, 8)


@pytest.mark.parametrize(
    ("box", "behind", "kind"), [(b"ispe", 4, ErrorKind.TOO_MANY_PIXELS), (b"iinf", 4, ErrorKind.UNSUPPORTED)]
)
def test_what_exceeds_the_bounds_of_libheif_is_not_called_a_lack_of_memory(
    box: bytes, behind: int, kind: ErrorKind
) -> None:
    content = heic(quarters(), quality=50)
    at = content.index(box) + 4 + behind
    with pytest.raises(PictureError) as caught:
        answer_to(content[:at] + b"\x7f\xff" + content[at + 2 :], Spec("a"))
    assert caught.value.kind == kind
