from __future__ import annotations

import random
import struct
from typing import Any, NoReturn

import pytest
from PIL import Image, PngImagePlugin

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.rendering import NotRendered
from pipeline.model.spec import Format, Limits, Spec
from pipeline.render import rendition
from pipeline.render.encoding.inspect import inspect
from pipeline.render.pixels import shared
from tests.pictures import encoded, noise, quarters
from tests.render.drawing import answer_to

PNG = Spec("a", 40, format=Format.PNG)
KINDS = ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP", "ICO", "PPM"]
# A picture that does not compress away, so that every part of the file matters.
BUSY = Image.effect_noise((96, 96), 60).convert("RGB")

# Damaged files make Pillow speak through the process's warnings; the program's entry points silence those.
pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")


def whole(kind: str, **options: object) -> bytes:
    return encoded(BUSY, kind, **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_a_truncated_picture_is_called_truncated(kind: str, part: float) -> None:
    content = whole(kind, **({"sizes": [(96, 96)]} if kind == "ICO" else {}))
    with pytest.raises(PictureError) as caught:
        answer_to(content[: int(len(content) * part)], PNG)
    assert caught.value.kind == ErrorKind.TRUNCATED


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg"])
def test_a_truncated_tiff_is_truncated_whatever_its_compression(compression: str) -> None:
    content = whole("TIFF", compression=compression)
    with pytest.raises(PictureError) as caught:
        answer_to(content[: len(content) * 2 // 3], PNG)
    assert caught.value.kind == ErrorKind.TRUNCATED


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
@pytest.mark.parametrize("tag", [256, 257])
def test_a_tiff_whose_header_names_no_size_is_told_in_words(compression: str, tag: int) -> None:
    content = whole("TIFF", compression=compression)
    entry = content.index(struct.pack("<HH", tag, 4 if struct.pack("<HH", tag, 4) in content else 3))
    with pytest.raises(PictureError, match="TIFF: its header names no width or height"):
        answer_to(content[:entry] + b"\xfe\xfd" + content[entry + 2 :], PNG)


def test_a_gif_cut_off_between_its_frames_is_not_a_shorter_gif() -> None:
    frames = [BUSY.rotate(angle).convert("P") for angle in (0, 90, 180)]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(PictureError) as caught:
        answer_to(content[: len(content) * 3 // 4], PNG)
    assert caught.value.kind == ErrorKind.TRUNCATED


def test_a_progressive_jpeg_that_stops_early_is_truncated() -> None:
    content = whole("JPEG", progressive=True)
    with pytest.raises(PictureError) as caught:
        answer_to(content[: len(content) // 2], PNG)
    assert caught.value.kind == ErrorKind.TRUNCATED


def test_damage_within_is_called_damage() -> None:
    content = bytearray(whole("PNG"))
    start = content.index(b"IDAT") + 60
    content[start : start + 400] = bytes(400)
    with pytest.raises(PictureError) as caught:
        answer_to(bytes(content), PNG)
    assert caught.value.kind == ErrorKind.DAMAGED


def test_a_form_that_is_not_decoded_is_unsupported() -> None:
    content = bytearray(whole("JPEG"))
    content[content.index(b"\xff\xc0") + 4] = 12  # bits a sample
    with pytest.raises(PictureError) as caught:
        answer_to(bytes(content), PNG)
    assert caught.value.kind == ErrorKind.UNSUPPORTED


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_the_bytes_nothing_but_a_picture_error_comes_out(kind: str) -> None:
    chance = random.Random(kind)
    good = encoded(quarters((48, 48)), kind)
    for _ in range(150):
        content = bytearray(good)
        for _ in range(chance.randint(1, 8)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        try:
            answer_to(bytes(content), PNG, limits=Limits(pixels=1_000_000))
        except PictureError as error:
            assert error.kind in (  # noqa: PT017 -- both outcomes are right; only the kind is wrong or not
                ErrorKind.DAMAGED, ErrorKind.TRUNCATED, ErrorKind.UNSUPPORTED, ErrorKind.NOT_A_PICTURE,
                ErrorKind.TOO_MANY_PIXELS, ErrorKind.TOO_MANY_FRAMES,
            )  # fmt: skip


def own_mistake(*arguments: Any) -> NoReturn:
    """As if a module of ours had it."""
    exec("raise AttributeError('no such thing')", {"__name__": "pipeline.render.mistaken"})
    raise AssertionError


def own_type_error(*arguments: Any) -> NoReturn:
    exec("len(None)", {"__name__": "pipeline.render.mistaken"})
    raise AssertionError


def library_type_error(*arguments: Any) -> NoReturn:
    exec("len(None)", {"__name__": "PIL.Image"})
    raise AssertionError


def library_mistake(*arguments: Any) -> NoReturn:
    exec("assert False", {"__name__": "PIL.Image"})
    raise ValueError


@pytest.mark.parametrize(
    ("mistake", "while_decoding", "while_drawing"),
    [
        (own_mistake, ErrorKind.INTERNAL, ErrorKind.INTERNAL),
        (own_type_error, ErrorKind.INTERNAL, ErrorKind.INTERNAL),
        (library_type_error, ErrorKind.DAMAGED, ErrorKind.NOT_ENCODABLE),
        (library_mistake, ErrorKind.DAMAGED, ErrorKind.INTERNAL),
    ],
)
def test_our_own_mistakes_are_internal_errors_and_blamed_on_no_picture(
    mistake: Any, while_decoding: ErrorKind, while_drawing: ErrorKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name in [(shared, "resample"), (rendition, "deliver")]:
        with monkeypatch.context() as patch:
            patch.setattr(module, name, mistake)
            answer, made = answer_to(whole("PNG"), PNG)
        assert made == {}
        (failed,) = answer.renditions
        assert isinstance(failed, NotRendered)
        assert failed.error.kind is while_drawing
        assert (": no such thing (pipeline.render.mistaken:1)" in str(failed.error)) is (mistake is own_mistake)
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", mistake)
    with pytest.raises(PictureError) as caught:
        answer_to(whole("PNG"), PNG)
    assert caught.value.kind is while_decoding


def test_an_error_of_ours_is_never_its_own_cause() -> None:
    """It would keep the pixels in its traceback alive until the garbage collector comes."""
    still = encoded(noise((64, 64), 60), "PNG")[:-300]
    film = bytearray(encoded(quarters((8, 8)), "PNG", save_all=True, append_images=[noise((8, 8), 40).convert("RGB")]))
    film[film.rindex(b"fdAT") + 12] ^= 1
    with pytest.raises(PictureError, match="cut off within IDAT") as opened:
        answer_to(still, Spec("a", 8))
    with pytest.raises(PictureError, match="wrong checksum in fdAT") as decoded:
        inspect(bytes(film), decode=True)
    for raised in (opened.value, decoded.value):
        error: BaseException | None = raised
        while error is not None:
            assert error.__cause__ is not error
            assert error.__context__ is not error
            error = error.__cause__
