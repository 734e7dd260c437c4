"""Colours against references worked out by hand: matrices, curves and CIEDE2000, no colour management library."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace

import pytest
from PIL import Image

from pipeline.model.spec import Fit, Format, Profile, Spec
from pipeline.model.steps import Asset
from pipeline.render.colour.cicp import _clli, _of_hdr, profile_of, sdr
from pipeline.render.colour.hdr import Hdr
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
    pixel,
)
from tests.render.ciede import D50, Lab, distance, lab_of_srgb
from tests.render.colour.test_srgb import as_srgb
from tests.render.drawing import answer_to, rendition

PROPHOTO: Matrix = ((0.79767, 0.13519, 0.03135), (0.28804, 0.71188, 0.00009), (0.0, 0.0, 0.82491))
SPACES = {"Display P3": (DISPLAY_P3, None), "Adobe RGB": (ADOBE_RGB, 2.19921875), "ProPhoto": (PROPHOTO, 1.8)}
# Inside of sRGB in each of the three, so that nothing has to be clipped: near greys, skins, sky, foliage, shadows.
COLOURS = [
    (20, 20, 20), (60, 60, 60), (128, 128, 128), (200, 200, 200), (255, 255, 255), (0, 0, 0),
    (150, 130, 120), (190, 165, 150), (120, 135, 150), (110, 120, 100), (60, 52, 48), (140, 120, 140),
]  # fmt: skip
PNG = Spec("a", 8, format=Format.PNG)


def patches(mode: str = "RGB") -> Image.Image:
    image = Image.new(mode, (16 * len(COLOURS), 16))
    for number, colour in enumerate(COLOURS):
        image.paste((*colour, 200) if mode == "RGBA" else colour, (number * 16, 0, number * 16 + 16, 16))
    return image


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG", "AVIF"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_wide_spaces_come_out_within_two_of_the_reference(space: str, kind: str, mode: str) -> None:
    if kind == "JPEG" and mode == "RGBA":
        return
    matrix, gamma = SPACES[space]
    options: dict[str, object] = {"lossless": True} if kind == "WEBP" else {"quality": 100, "subsampling": "4:4:4"}
    if kind in ("PNG", "TIFF"):
        options = {}
    content = encoded(patches(mode), kind, icc_profile=matrix_profile(matrix, gamma), **options)
    image = rendition(content, Spec("a", format=Format.PNG)).convert("RGB")
    for number, colour in enumerate(COLOURS):
        got = lab_of_srgb(pixel(image, (number * 16 + 8, 8)))
        wanted = lab_of_srgb(as_srgb(colour, matrix, gamma))
        assert distance(got, wanted) < 2, (colour, got, wanted)


def test_the_measure_itself_is_right() -> None:
    """Three of the published pairs (Sharma et al., table 1)."""
    for first, other, wanted in (
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
    ):
        assert abs(distance(first, other) - wanted) < 1e-4


def test_deep_colour_goes_through_its_profile() -> None:
    row = b"\0" + struct.pack(">3H", 0x8000, 0x6000, 0x5000) * 16
    header = struct.pack(">LLBBBBB", 16, 16, 16, 2, 0, 0, 0)
    icc = b"x\0\0" + zlib.compress(matrix_profile(DISPLAY_P3))
    content = png((b"IHDR", header), (b"iCCP", icc), (b"IDAT", zlib.compress(row * 16)))
    assert near(pixel(rendition(content, PNG), (4, 4)), as_srgb((0x80, 0x60, 0x50), DISPLAY_P3, None), 2)


def test_sixteen_bit_grey_goes_through_its_profile() -> None:
    image = Image.frombytes("I;16", (16, 16), struct.pack("<H", 0x8080) * 256)
    got = rendition(encoded(image, "PNG", icc_profile=grey_profile(1.8)), PNG)
    wanted = lab_of_srgb([pixel(rendition(encoded(Image.new("L", (9, 9), 128), "PNG"), PNG), (4, 4))[0]] * 3)
    light = (128 / 255) ** 1.8
    assert distance(lab_of_srgb([pixel(got, (4, 4))[0]] * 3), (116 * light ** (1 / 3) - 16, 0, 0)) < 1
    assert distance(lab_of_srgb([pixel(got, (4, 4))[0]] * 3), wanted) > 1  # it is not what it would be untagged


# CMYK: a profile of 16 nodes, all inks or none, whose colours are ours to choose.
NODES: dict[tuple[int, int, int, int], Lab] = {(0, 0, 0, 0): (100, 0, 0), (1, 0, 0, 0): (70, -20, -25)}
NODES |= {(0, 1, 0, 0): (60, 45, 5), (0, 0, 1, 0): (85, 0, 60), (1, 1, 0, 0): (35, 15, -35), (0, 1, 1, 0): (50, 45, 35)}


def cmyk_profile(intent: int = 0) -> bytes:
    """A table of 8 bits from CMYK to Lab."""
    grid = [(c, m, y, k) for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)]
    nodes = [NODES.get(node, (0.0, 0.0, 0.0) if node[3] else (40.0, 0.0, 0.0)) for node in grid]
    table = b"".join(bytes((round(light * 2.55), round(a + 128), round(b + 128))) for light, a, b in nodes)
    straight = bytes(range(256))
    lut = struct.pack(">4s4xBBBx9l", b"mft1", 4, 3, 2, *(65536 if i % 4 == 0 else 0 for i in range(9)))
    lut += straight * 4 + table + straight * 3
    tags = {
        b"A2B0": lut,
        b"desc": b"desc\0\0\0\0" + struct.pack(">L", 5) + b"test\0" + b"\0" * 78,
        b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">3l", *(round(value * 65536) for value in D50)),
    }
    head, body, start = struct.pack(">L", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, tag in tags.items():
        head += struct.pack(">4sLL", name, start + len(body), len(tag))
        body += tag + b"\0" * (-len(tag) % 4)
    top = struct.pack(">L4sL4s4s4s", start + len(body), bytes(4), 0x02400000, b"prtr", b"CMYK", b"Lab ")
    top += bytes(12) + b"acsp" + bytes(24) + struct.pack(">L3l", intent, 63190, 65536, 54061)
    return top.ljust(128, b"\0") + head + body


@pytest.mark.parametrize("kind", ["TIFF", "JPEG"])
@pytest.mark.parametrize("inks", list(NODES))
def test_cmyk_goes_through_its_profile(kind: str, inks: tuple[int, int, int, int]) -> None:
    picture = Image.new("CMYK", (16, 16), (255 * inks[0], 255 * inks[1], 255 * inks[2], 255 * inks[3]))
    options = {"quality": 100} if kind == "JPEG" else {}
    answer, files = answer_to(encoded(picture, kind, icc_profile=cmyk_profile(), **options), PNG)
    assert answer.warnings == ()
    with Image.open(io.BytesIO(files["a"])) as image:
        assert distance(lab_of_srgb(pixel(image.convert("RGB"), (4, 4))), NODES[inks]) < 2


@pytest.mark.parametrize("target", [Format.JPEG, Format.PNG, Format.WEBP, Format.AVIF, Format.TIFF])
def test_kept_colours_are_untouched_and_the_profile_goes_along(target: Format) -> None:
    icc = matrix_profile(DISPLAY_P3)
    content = encoded(Image.new("RGB", (16, 16), (200, 90, 60)), "PNG", icc_profile=icc)
    image = rendition(content, Spec("a", format=target, profile=Profile.KEEP, quality=None))
    assert image.info["icc_profile"] == icc
    assert near(pixel(image.convert("RGB"), (8, 8)), (200, 90, 60), 4)


@pytest.mark.parametrize("profile", [Profile.SRGB, Profile.DISPLAY_P3])
def test_cmyk_without_a_profile_goes_through_the_one_that_the_config_names(profile: Profile) -> None:
    content = encoded(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "TIFF")
    own = encoded(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "TIFF", icc_profile=cmyk_profile())
    spec = replace(PNG, profile=profile)
    answer, files = answer_to(content, replace(spec, cmyk_profile=Asset.of("p.icc", cmyk_profile())))
    assert answer.warnings == ()
    assert files == answer_to(own, spec)[1]
    others, both = answer_to(content, spec, replace(spec, name="b", cmyk_profile=Asset.of("p.icc", cmyk_profile())))
    assert both["b"] == files["a"] != both["a"]
    assert others.warnings == ("CMYK without a usable profile: colours are approximate",)


def test_an_embedded_profile_counts_before_the_one_that_the_config_names() -> None:
    own = encoded(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "TIFF", icc_profile=cmyk_profile())
    given = Asset.of("p.icc", b"another")
    assert answer_to(own, replace(PNG, cmyk_profile=given))[1] == answer_to(own, PNG)[1]


def test_a_broken_profile_in_the_config_is_a_warning() -> None:
    content = encoded(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "TIFF")
    broken = Asset.of("p.icc", cmyk_profile()[:200])
    answer, files = answer_to(content, replace(PNG, cmyk_profile=broken))
    assert answer.warnings[0] == "colour profile ignored: it is broken"
    assert files


@pytest.mark.parametrize(("target", "mode"), [(Format.JPEG, "CMYK"), (Format.TIFF, "CMYK"), (Format.PNG, "RGB")])
def test_kept_cmyk_stays_so_where_the_format_can(target: Format, mode: str) -> None:
    icc = cmyk_profile()
    content = encoded(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "TIFF", icc_profile=icc)
    image = rendition(content, Spec("a", format=target, profile=Profile.KEEP))
    assert image.mode == mode
    assert image.info.get("icc_profile") == (icc if mode == "CMYK" else None)
    if mode == "CMYK":
        assert near(pixel(image, (8, 8)), (255, 0, 0, 0), 3)
    padded = rendition(content, Spec("a", 20, 30, Fit.CONTAIN, format=target, profile=Profile.KEEP))
    assert padded.mode == "RGB"  # nobody knows the background's inks


@pytest.mark.parametrize("target", [Format.PNG, Format.WEBP])
def test_kept_grey_never_comes_with_a_profile_that_does_not_fit(target: Format) -> None:
    icc = grey_profile(1.8)
    image = rendition(
        encoded(Image.new("L", (16, 16), 128), "PNG", icc_profile=icc), Spec("a", format=target, profile=Profile.KEEP)
    )
    if target is Format.PNG:
        assert image.info["icc_profile"] == icc
        assert pixel(image, (4, 4)) == (128,)
    else:
        assert "icc_profile" not in image.info
        assert abs(pixel(image, (4, 4))[0] - 143) <= 3


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))
        for kind, content in (*chunks, (b"IEND", b""))
    )


def stated(colour: tuple[int, int, int], *chunks: tuple[bytes, bytes]) -> bytes:
    header = struct.pack(">LLBBBBB", 16, 16, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + bytes(colour) * 16) * 16)
    return png((b"IHDR", header), *chunks, (b"IDAT", pixels))


P3_PRIMARIES = (b"cHRM", struct.pack(">8L", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000))
COLOUR = (200, 90, 60)


@pytest.mark.parametrize(
    ("chunks", "wanted"),
    [
        ([(b"cICP", bytes((12, 13, 0, 1)))], as_srgb(COLOUR, DISPLAY_P3, None)),
        ([(b"gAMA", struct.pack(">L", 45455)), P3_PRIMARIES], as_srgb(COLOUR, DISPLAY_P3, None)),
        ([(b"gAMA", struct.pack(">L", 55556))], as_srgb(COLOUR, SRGB, 1.8)),
        ([(b"gAMA", struct.pack(">L", 45455))], COLOUR),
        ([(b"cICP", bytes((1, 13, 0, 1)))], COLOUR),
        ([(b"sRGB", b"\0"), (b"gAMA", struct.pack(">L", 55556))], COLOUR),  # sRGB outranks them
        ([(b"gAMA", struct.pack(">L", 0))], COLOUR),
        ([(b"gAMA", struct.pack(">L", 45455)), (b"cHRM", bytes(32))], COLOUR),
        ([(b"iCCP", b"x\0\0" + zlib.compress(matrix_profile(ADOBE_RGB, 2.2))), (b"cICP", bytes((12, 13, 0, 1)))],
         as_srgb(COLOUR, DISPLAY_P3, None)),
    ],
)  # fmt: skip
def test_colour_that_a_png_says_in_numbers_counts(chunks: list[tuple[bytes, bytes]], wanted: tuple[int, ...]) -> None:
    assert near(pixel(rendition(stated(COLOUR, *chunks), PNG), (4, 4)), wanted, 2)


def test_colour_that_an_avif_says_in_numbers_counts() -> None:
    content = encoded(Image.new("RGB", (16, 16), COLOUR), "AVIF", quality=100, subsampling="4:4:4")
    at = content.index(b"nclx") + 4
    content = content[:at] + struct.pack(">HH", 12, 13) + content[at + 4 :]
    assert near(pixel(rendition(content, PNG), (4, 4)), as_srgb(COLOUR, DISPLAY_P3, None), 4)


def test_profiles_of_every_peak_that_pictures_name_do_not_pile_up() -> None:
    for peak in range(1_000, 1_100):
        said = Hdr(9, 16, float(peak))
        assert _of_hdr(said, grey=False) != sdr(said, grey=False)
    assert max(made.cache_info().currsize for made in (_of_hdr, sdr)) <= 32


def test_boxes_without_end_within_each_other_are_not_looked_through() -> None:
    content = encoded(Image.new("RGB", (16, 16), COLOUR), "AVIF", quality=100).replace(b"nclx", b"free")
    nested = b""
    for _ in range(2_000):
        nested = struct.pack(">L4s", 8 + len(nested), b"iprp") + nested
    assert profile_of(Image.new("RGB", (16, 16)), "AVIF", content + nested) is None
    assert not list(_clli(nested))


def test_a_profile_that_asks_for_absolute_colours_gets_them() -> None:
    """Its paper is not white then."""
    icc = cmyk_profile(3)
    paper = icc.index(b"XYZ \0\0\0\0") + 8
    icc = icc[:paper] + struct.pack(">3l", *(round(value * 0.8 * 65536) for value in D50)) + icc[paper + 12 :]
    content = encoded(Image.new("CMYK", (16, 16)), "TIFF", icc_profile=icc)
    assert pixel(rendition(content, PNG), (4, 4))[0] < 240
    relative = icc[:64] + struct.pack(">L", 0) + icc[68:]
    content = encoded(Image.new("CMYK", (16, 16)), "TIFF", icc_profile=relative)
    assert pixel(rendition(content, PNG), (4, 4))[0] == 255


def test_infinities_and_nothings_in_a_float_picture_stay_where_they_are() -> None:
    values = [0.5] * 1600
    values[820], values[410], values[1220] = float("nan"), float("inf"), float("-inf")
    image = Image.frombytes("F", (40, 40), struct.pack("<1600f", *values))
    got = rendition(encoded(image, "TIFF"), Spec("a", 20, format=Format.PNG))
    assert all(pixel(got, (x, y))[0] in range(90, 166) for x in range(20) for y in range(20) if abs(y - 10) > 7)
    assert linear(0.0) == 0
