from __future__ import annotations

import io
from dataclasses import replace

import pytest
from PIL import Image

from pipeline.model.spec import Fit, Format, Profile, Spec
from pipeline.render.pixels import libvips
from tests.pictures import (
    ADOBE_RGB,
    DISPLAY_P3,
    SRGB,
    Matrix,
    encoded,
    grey_profile,
    linear,
    matrix_profile,
    near,
    nonlinear,
    pixel,
    png16,
)
from tests.render.drawing import answer_to, rendition

PNG = Spec("a", 8, format=Format.PNG)
COLOURS = [(200, 90, 60), (110, 150, 95), (70, 80, 170), (128, 128, 128), (255, 255, 255), (0, 0, 0), (230, 220, 60)]


def inverse(m: Matrix) -> Matrix:
    (a, b, c), (d, e, f), (g, h, i) = m
    det = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return (
        ((e * i - f * h) / det, (c * h - b * i) / det, (b * f - c * e) / det),
        ((f * g - d * i) / det, (a * i - c * g) / det, (c * d - a * f) / det),
        ((d * h - e * g) / det, (b * g - a * h) / det, (a * e - b * d) / det),
    )


def as_srgb(colour: tuple[int, int, int], matrix: Matrix, gamma: float | None) -> tuple[int, ...]:
    """What `colour` under a matrix profile is in sRGB, by the book and without a colour management library."""
    light = [linear(value / 255) if gamma is None else (value / 255) ** gamma for value in colour]
    xyz = [sum(row[i] * light[i] for i in range(3)) for row in matrix]
    back = [sum(row[i] * xyz[i] for i in range(3)) for row in inverse(SRGB)]
    return tuple(round(255 * nonlinear(min(1.0, max(0.0, value)))) for value in back)


@pytest.mark.parametrize(("matrix", "gamma"), [(DISPLAY_P3, None), (ADOBE_RGB, 2.19921875)])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize("colour", COLOURS)
def test_wide_colours_reach_srgb_as_the_profile_says(
    matrix: Matrix, gamma: float | None, kind: str, colour: tuple[int, int, int]
) -> None:
    options = {"quality": 100} if kind in ("JPEG", "WEBP", "AVIF") else {}
    if kind == "WEBP":
        options["lossless"] = True
    content = encoded(Image.new("RGB", (16, 16), colour), kind, icc_profile=matrix_profile(matrix, gamma), **options)
    image = rendition(content, PNG)
    assert near(pixel(image.convert("RGB"), (4, 4)), as_srgb(colour, matrix, gamma), 3)
    assert "icc_profile" not in image.info


def test_grey_goes_through_its_profile_and_stays_grey() -> None:
    content = encoded(Image.new("L", (16, 16), 128), "PNG", icc_profile=grey_profile(1.8))
    image = rendition(content, PNG)
    assert image.mode == "L"
    assert abs(pixel(image, (4, 4))[0] - 255 * nonlinear((128 / 255) ** 1.8)) <= 2


def test_alpha_passes_the_profile_untouched() -> None:
    picture = Image.new("RGBA", (16, 16), (200, 90, 60, 77))
    image = rendition(encoded(picture, "PNG", icc_profile=matrix_profile(DISPLAY_P3)), PNG)
    *colour, alpha = pixel(image, (4, 4))
    assert alpha == 77
    assert near(colour, as_srgb((200, 90, 60), DISPLAY_P3, None), 4)


def test_a_profile_that_is_srgb_changes_nothing() -> None:
    picture = Image.effect_noise((16, 16), 90).convert("RGB")
    image = rendition(encoded(picture, "PNG", icc_profile=matrix_profile(SRGB)), Spec("a", format=Format.PNG))
    assert image.tobytes() == picture.convert(image.mode).tobytes()


@pytest.mark.parametrize(
    ("profile", "word"),
    [(b"no profile at all", "broken"), (matrix_profile(DISPLAY_P3)[:200], "broken"), (grey_profile(1.8), "GRAY")],
)
def test_a_useless_profile_is_a_warning_and_the_picture_is_untagged(profile: bytes, word: str) -> None:
    content = encoded(Image.new("RGB", (16, 16), (200, 90, 60)), "PNG", icc_profile=profile)
    answer, files = answer_to(content, PNG)
    assert [word in warning for warning in answer.warnings] == [True]
    assert near(pixel(rendition(content, PNG), (4, 4)), (200, 90, 60), 0)
    assert files


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_without_a_profile_uses_the_simple_formula_without_libvips(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libvips, "cmyk_profile", lambda: None)
    inks = (40, 180, 100, 30)
    options = {"quality": 100} if kind == "JPEG" else {}
    answer, files = answer_to(encoded(Image.new("CMYK", (16, 16), inks), kind, **options), PNG)
    wanted = [round((255 - ink) * (255 - inks[3]) / 255) for ink in inks[:3]]
    assert "CMYK" in answer.warnings[0]
    assert near(pixel(rendition(encoded(Image.new("CMYK", (16, 16), inks), kind, **options), PNG), (4, 4)), wanted, 3)
    assert files


@pytest.mark.skipif(not libvips.available(), reason="needs libvips")
@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
@pytest.mark.parametrize(
    ("inks", "wanted"),
    [
        ((0, 0, 0, 0), (255, 255, 255)),
        ((255, 0, 0, 0), (0, 153, 228)),
        ((0, 255, 255, 0), (231, 0, 17)),
        ((255, 255, 255, 255), (0, 0, 20)),
    ],
)
def test_cmyk_without_a_profile_looks_printed(kind: str, inks: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    options = {"quality": 100} if kind == "JPEG" else {}
    content = encoded(Image.new("CMYK", (16, 16), inks), kind, **options)
    answer, files = answer_to(content, PNG)
    assert answer.warnings == ("CMYK without a usable profile: colours are approximate",)
    assert near(pixel(Image.open(io.BytesIO(files["a"])), (4, 4)), wanted, 4)


def test_kept_cmyk_without_a_profile_stays_without_one() -> None:
    kept = Spec("a", format=Format.TIFF, profile=Profile.KEEP)
    image = rendition(encoded(Image.new("CMYK", (16, 16), (9, 8, 7, 6)), "TIFF"), kept)
    assert (image.mode, pixel(image, (4, 4)), "icc_profile" in image.info) == ("CMYK", (9, 8, 7, 6), False)


@pytest.mark.skipif(not libvips.available(), reason="needs libvips' profile")
@pytest.mark.parametrize("format_", [Format.PNG, Format.WEBP, Format.AVIF])
def test_colours_that_the_format_cannot_keep_are_told(format_: Format) -> None:
    kept = Spec("a", 8, format=format_, profile=Profile.KEEP)
    cmyk = encoded(Image.new("CMYK", (16, 16), (9, 8, 7, 6)), "JPEG", icc_profile=libvips.cmyk_profile())
    told = (f"CMYK becomes sRGB: {format_} holds no CMYK; tiff and jpeg would keep it",)
    assert answer_to(cmyk, kept)[0].warnings == told
    assert answer_to(encoded(Image.new("LAB", (16, 16)), "TIFF"), kept)[0].warnings == (
        "Lab becomes sRGB: no format keeps it",
    )


@pytest.mark.skipif(not libvips.available(), reason="needs libvips' profile")
@pytest.mark.parametrize("format_", [Format.JPEG, Format.TIFF])
def test_cmyk_is_kept_without_a_word_unless_something_is_put_beside_it(format_: Format) -> None:
    kept = Spec("a", 8, format=format_, profile=Profile.KEEP)
    cmyk = encoded(Image.new("CMYK", (16, 16), (9, 8, 7, 6)), "JPEG", icc_profile=libvips.cmyk_profile())
    assert answer_to(cmyk, kept)[0].warnings == ()
    padded = replace(kept, height=4, fit=Fit.CONTAIN)
    assert answer_to(cmyk, padded)[0].warnings == ("CMYK becomes sRGB: what is drawn over it or beside it is RGB",)


def test_a_cmyk_jpeg_without_adobes_mark_is_not_inverted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libvips, "cmyk_profile", lambda: None)
    content = encoded(Image.new("CMYK", (16, 16), (40, 180, 100, 30)), "JPEG", quality=100)
    start = content.index(b"\xff\xee")
    length = int.from_bytes(content[start + 2 : start + 4])
    plain = pixel(rendition(content[:start] + content[start + 2 + length :], PNG), (4, 4))
    inks = [255 - ink for ink in (40, 180, 100, 30)]
    assert near(plain, [round((255 - ink) * (255 - inks[3]) / 255) for ink in inks[:3]], 3)


def test_lab_becomes_srgb() -> None:
    lab = Image.merge("LAB", [Image.new("L", (16, 16), value) for value in (138, 209, 198)])  # 54.3, 80.8, 69.9: red
    assert near(pixel(rendition(encoded(lab, "TIFF"), PNG), (4, 4)), (255, 0, 0), 8)


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize(("profile", "red"), [(Profile.DISPLAY_P3, (234, 51, 35)), (Profile.ADOBE_RGB, (219, 0, 0))])
def test_red_of_srgb_in_a_wider_space(profile: Profile, red: tuple[int, int, int], deep: bool) -> None:
    spec = Spec("a", format=Format.PNG, profile=profile)
    content = png16((4, 4), "RGB", [65535, 0, 0] * 16) if deep else encoded(Image.new("RGB", (4, 4), "#ff0000"), "PNG")
    made = rendition(content, spec)
    assert near(pixel(made, (1, 1)), red, 1)
    icc = made.info["icc_profile"]
    again = rendition(encoded(made, "PNG", icc_profile=icc), Spec("a", format=Format.PNG))
    assert near(pixel(again, (1, 1)), (255, 0, 0), 2)


def test_grey_stays_grey_in_a_wider_space_and_has_no_profile() -> None:
    made = rendition(
        encoded(Image.new("L", (4, 4), 99), "PNG"), Spec("a", format=Format.PNG, profile=Profile.DISPLAY_P3)
    )
    assert (made.mode, pixel(made, (1, 1))) == ("L", (99,))
    assert "icc_profile" not in made.info
