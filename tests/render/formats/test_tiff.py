"""Every TIFF is right to the level, or is refused by name: nothing in between."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from PIL import Image

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.shape import Resampler
from pipeline.model.spec import Format, Spec
from pipeline.render.child.libraries import libraries
from pipeline.render.pixels import libvips
from tests import tiffs
from tests.pictures import encoded, near, pixel
from tests.render.drawing import answer_to, rendition
from tests.tiffs import DEFLATE, FLOAT, LZW, NONE, PACKBITS, SIGNED, UNSIGNED, Layout, Number, tiff

PNG = Spec("a", format=Format.PNG)
WHITE_IS_ZERO, GREY, RGB, PALETTE, CMYK, YCBCR, LAB = 0, 1, 2, 3, 5, 6, 8
COLOURS = {WHITE_IS_ZERO: 1, GREY: 1, RGB: 3, PALETTE: 1, CMYK: 4, YCBCR: 3, LAB: 3}
WIDTH, HEIGHT = 5, 3
needs_libvips = pytest.mark.skipif(not libvips.available(), reason="needs libvips")

Rows = list[list[list[Number]]]

KINDS = [(bits, UNSIGNED) for bits in (1, 2, 4, 8, 10, 12, 14, 16, 32, 64)]
KINDS += [(bits, SIGNED) for bits in (8, 16, 32)] + [(bits, FLOAT) for bits in (16, 32, 64)]
EXTRAS: tuple[tuple[int, ...], ...] = ((), (0,), (1,), (2,), (2, 0))


def samples(layout: Layout) -> Rows:
    """Pixels that show what goes wrong: black and white among them, and no two samples of one value."""
    chance = random.Random(repr((layout.photometric, layout.bits, layout.kind, layout.extras)))
    count = COLOURS[layout.photometric] + len(layout.extras)
    most: int = 2**layout.bits - 1
    beyond = (64, 256) if 1 in layout.extras else (-64, 320)

    def sample(at: int) -> Number:
        if layout.kind == FLOAT:
            return float(chance.randrange(*beyond)) / 256  # which halves hold exactly
        if layout.kind == SIGNED:
            return chance.randrange(-(most + 1) // 2, (most + 1) // 2)
        if layout.photometric == LAB and at in (1, 2):  # weak colours, which sRGB has
            return round(chance.uniform(-20, 20) * (1 if layout.bits == 8 else 256)) % (most + 1)
        return chance.randrange(70_000 if layout.bits == 32 else most + 1)

    rows: Rows = [[[sample(at) for at in range(count)] for _ in range(WIDTH)] for _ in range(HEIGHT)]
    if layout.kind == UNSIGNED and layout.photometric != LAB:
        rows[0][0], rows[0][1] = [0] * count, [most] * count
    if 1 in layout.extras:
        for one_pixel in (one_pixel for row in rows for one_pixel in row):
            alpha = one_pixel[COLOURS[layout.photometric]] = max(one_pixel[-1], most // 3 if layout.kind == 1 else 0.5)
            one_pixel[: COLOURS[layout.photometric]] = [min(sample, alpha) for sample in one_pixel[:-1]]
    return rows


def level(sample: Number, layout: Layout) -> float:
    """0 to 255, unrounded: floats count from 0 to 1, integers of 32 bits from 0 to 65,535."""
    white = 1 if layout.kind == FLOAT else 65535 if layout.bits == 32 else 2**layout.bits - 1
    return min(max(sample / white, 0.0), 1.0) * 255


def colour(pixel: list[Number], layout: Layout, palette: list[int]) -> tuple[int, ...]:
    """What a pixel should come out as, in RGBA."""
    count = COLOURS[layout.photometric]
    levels = [level(sample, layout) for sample in pixel]
    alpha = levels[count] if layout.extras[:1] in ((1,), (2,)) else 255.0
    match layout.photometric:
        case 0:
            channels = [255 - levels[0]] * 3
        case 1:
            channels = levels[:1] * 3
        case 3:
            channels = [palette[int(pixel[0]) + 2**layout.bits * at] / 257 for at in range(3)]
        case 5:
            channels = [(255 - ink) * (255 - levels[3]) / 255 for ink in levels[:3]]
        case 6:
            y, blue, red = levels[0], levels[1] - 128, levels[2] - 128
            channels = [y + 1.402 * red, y - 0.344136 * blue - 0.714136 * red, y + 1.772 * blue]
        case 8:
            channels = of_lab(pixel, layout)
        case _:
            channels = levels[:3]
    if layout.extras[:1] == (1,):
        channels = [channel * 255 / max(alpha, 1) for channel in channels]
    return tuple(round(min(max(channel, 0), 255)) for channel in (*channels, alpha))


def of_lab(pixel: list[Number], layout: Layout) -> list[float]:
    """CIE Lab of D50 as sRGB, by the published formulas."""
    most = 2**layout.bits
    a, b = ((int(sample) ^ most // 2) - most // 2 for sample in pixel[1:3])
    y = (pixel[0] / (most - 1) * 100 + 16) / 116
    scale = most // 256
    x, z = y + a / scale / 500, y - b / scale / 200
    white = (0.9642, 1.0, 0.8249)
    xyz = [
        w * (t**3 if t > 6 / 29 else 3 * (6 / 29) ** 2 * (t - 4 / 29)) for w, t in zip(white, (x, y, z), strict=True)
    ]
    matrix = (
        (3.1338561, -1.6168667, -0.4906146),
        (-0.9787684, 1.9161415, 0.0334540),
        (0.0719453, -0.2289914, 1.4052427),
    )
    linear = [min(max(sum(m * v for m, v in zip(row, xyz, strict=True)), 0), 1) for row in matrix]
    return [255 * (12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055) for v in linear]


def layouts(photometric: int) -> Iterator[Layout]:
    for (bits, kind), extras in itertools.product(KINDS, EXTRAS):
        if photometric == PALETTE and (kind != UNSIGNED or bits > 16):
            continue
        if photometric in (YCBCR, LAB) and (kind != UNSIGNED or bits not in (8, 16)):
            continue
        if extras[:1] == (1,) and kind == SIGNED:
            continue
        yield Layout(photometric, bits, kind, extras)


@pytest.mark.parametrize(
    "compression",
    [NONE, *(pytest.param(compression, marks=pytest.mark.slow) for compression in (LZW, DEFLATE, PACKBITS))],
)
@pytest.mark.parametrize("photometric", COLOURS)
def test_a_layout_is_right_to_the_level_or_refused_by_name(
    photometric: int, compression: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libvips, "cmyk_profile", lambda: None)  # inks by the formula
    for layout in layouts(photometric):
        check(replace(layout, compression=compression))


def check(layout: Layout) -> None:
    chance = random.Random(1)
    palette = [257 * chance.randrange(256) for _ in range(3 * 2**layout.bits)] if layout.photometric == PALETTE else []
    tags: tuple[tiffs.Entry, ...] = ((320, "H", tuple(palette)),) if palette else ()
    tags += ((530, "H", (1, 1)),) if layout.photometric == YCBCR else ()
    rows = samples(layout)
    wanted = [[colour(pixel, layout, palette) for pixel in row] for row in rows]
    for order, planar, tiled in itertools.product("<>", (False, True), (False, True)):
        stored = replace(layout, order=order, planar=planar, tiled=tiled, tags=tags)
        if planar and len(rows[0][0]) == 1:
            continue
        try:
            got = rendition(tiff(rows, stored), PNG).convert("RGBA")
        except PictureError as error:
            assert error.kind is ErrorKind.UNSUPPORTED, (stored, error)  # noqa: PT017 -- both outcomes are right
            assert str(layout.bits) in error.detail  # noqa: PT017
            continue
        for y, x in itertools.product(range(HEIGHT), range(WIDTH)):
            shown = pixel(got, (x, y))
            assert near(shown, wanted[y][x], 1) or (shown[3] == wanted[y][x][3] == 0), (
                stored,
                x,
                y,
                shown,
                wanted[y][x],
            )


@pytest.fixture
def without_libvips(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(libvips, "module", lambda: None)
    libraries.cache_clear()
    yield
    libraries.cache_clear()


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("photometric", "bits", "kind", "extras"),
    [(photometric, bits, UNSIGNED, ()) for photometric in (WHITE_IS_ZERO, GREY, PALETTE) for bits in (1, 2, 4, 8)]
    + [(GREY, 16, UNSIGNED, ()), (GREY, 32, FLOAT, ()), (GREY, 8, UNSIGNED, (2,)), (WHITE_IS_ZERO, 32, FLOAT, ())]
    + [(RGB, bits, UNSIGNED, extras) for bits in (8, 16) for extras in ((), (0,), (2,))]
    + [(CMYK, 8, UNSIGNED, ()), (CMYK, 16, UNSIGNED, ()), (LAB, 8, UNSIGNED, ())],
)
def test_common_layouts_need_no_libvips(
    photometric: int, bits: int, kind: int, extras: tuple[int, ...], order: str, without_libvips: None
) -> None:
    tags: tuple[tiffs.Entry, ...] = ((320, "H", (0,) * 3 * 2**bits),) if photometric == PALETTE else ()
    for compression in (NONE, LZW):
        layout = Layout(photometric, bits, kind, extras, compression=compression, order=order, tags=tags)
        assert rendition(tiff(samples(layout), layout), PNG).size == (WIDTH, HEIGHT)


FOR_LIBVIPS = [
    Layout(GREY, 16, extras=(2,)),
    Layout(GREY, 16, extras=(1,), order=">"),
    Layout(WHITE_IS_ZERO, 16, order=">"),
    Layout(RGB, 32, FLOAT),
    Layout(RGB, 16, FLOAT),
    Layout(RGB, 32, FLOAT, (2,), planar=True),
    Layout(RGB, 16, extras=(1,)),
    Layout(LAB, 16),
    Layout(PALETTE, 16, tags=((320, "H", (0,) * 3 * 2**16),)),
]


@needs_libvips
@pytest.mark.parametrize("layout", FOR_LIBVIPS)
def test_what_pillow_cannot_read_is_read_by_libvips_and_named_so(layout: Layout) -> None:
    spec = replace(PNG, resampler=Resampler.PILLOW)
    assert " vips=" in answer_to(tiff(samples(layout), layout), spec)[0].libraries


@pytest.mark.parametrize("layout", FOR_LIBVIPS)
def test_without_libvips_it_is_unsupported_with_the_way_out(layout: Layout, without_libvips: None) -> None:
    with pytest.raises(PictureError, match="needs libvips, which is not installed; to have it: ") as caught:
        answer_to(tiff(samples(layout), layout), PNG)
    assert caught.value.kind is ErrorKind.UNSUPPORTED


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("photometric", "wanted"), [(WHITE_IS_ZERO, (255, 0, 127)), (GREY, (0, 255, 128))])
@pytest.mark.parametrize("bits", [9, 12, 15])
def test_as_many_bits_count_as_are_said_to_be_significant(
    bits: int, photometric: int, wanted: tuple[int, ...], order: str
) -> None:
    if order == ">" and photometric == WHITE_IS_ZERO and not libvips.available():
        pytest.skip("needs libvips")
    most = 2**bits - 1
    layout = Layout(photometric, 16, order=order, tags=((281, "H", (most,)),))
    got = rendition(tiff([[[0], [most], [(most + 1) // 2]]], layout), PNG)
    assert near([pixel(got, (x, 0))[0] for x in range(3)], wanted, 1)


@needs_libvips
def test_significant_bits_of_colour_count_too() -> None:
    layout = Layout(RGB, 16, tags=((281, "H", (4095,) * 3),))
    assert near(pixel(rendition(tiff([[[0, 2048, 4095]]], layout), PNG), (0, 0)), (0, 128, 255), 1)


def test_the_largest_value_of_a_picture_is_not_its_white() -> None:
    layout = Layout(GREY, 16, tags=((281, "H", (30_000,)),))
    assert near(pixel(rendition(tiff([[[30_000]]], layout), PNG), (0, 0)), (117,), 1)


def test_twelve_packed_bits_reach_white() -> None:
    for compression in (NONE, DEFLATE):
        got = rendition(tiff([[[4095], [0], [2048]]], Layout(GREY, 12, compression=compression)), PNG)
        assert [pixel(got, (x, 0))[0] for x in range(3)] == [255, 0, 128]


def test_integers_of_32_bits_end_at_white() -> None:
    rows: Rows = [[[0], [32768], [65535], [70_000], [2**31], [2**32 - 1]]]
    got = rendition(tiff(rows, Layout(GREY, 32)), PNG)
    assert [pixel(got, (x, 0))[0] for x in range(6)] == [0, 128, 255, 255, 255, 255]


def test_floats_that_are_none_are_black() -> None:
    rows: Rows = [[[math.nan], [math.inf], [-math.inf]]]
    for photometric, wanted in ((GREY, [0, 255, 0]), (WHITE_IS_ZERO, [255, 0, 255])):
        got = rendition(tiff(rows, Layout(photometric, 32, FLOAT)), PNG)
        assert [pixel(got, (x, 0))[0] for x in range(3)] == wanted


@pytest.mark.parametrize("sampling", [(1, 1), (2, 1), (2, 2), (4, 2)])
@pytest.mark.parametrize("compression", [NONE, DEFLATE])
def test_chroma_in_blocks_without_a_compression(sampling: tuple[int, int], compression: int) -> None:
    across, down = sampling
    luma = [10, 60, 110, 160, 210, 250, 40, 90][: across * down]
    block: Rows = [[[number] for number in (*luma, 140, 100)]]  # an uncompressed strip is a row of these
    layout = Layout(YCBCR, tags=((530, "H", sampling),), compression=compression)
    content = bytearray(tiff(block, layout))
    set_tags(content, {256: across, 257: down, 277: 3, 278: down})
    got = rendition(bytes(content), PNG)
    for at, y in enumerate(luma):
        wanted = [round(min(max(v, 0), 255)) for v in (y - 39.3, y - 0.344136 * 12 + 0.714136 * 28, y + 21.3)]
        assert near(pixel(got, (at % across, at // across)), wanted, 1)


def set_tags(content: bytearray, values: dict[int, int]) -> None:
    """Writes other numbers into the first directory of a little-endian TIFF."""
    start = int.from_bytes(content[4:8], "little")
    for at in range(start + 2, start + 2 + 12 * int.from_bytes(content[start : start + 2], "little"), 12):
        tag = int.from_bytes(content[at : at + 2], "little")
        if tag in values:
            content[at + 8 : at + 12] = values[tag].to_bytes(4, "little")
            content[at + 2] = 4  # of 32 bits


@pytest.mark.parametrize(
    ("compression", "name"),
    [
        (50001, "WebP"),
        (34712, "JPEG 2000"),
        (33005, "JPEG 2000"),
        (50002, "JPEG XL"),
        (34887, "LERC"),
        (34933, "PNG"),
        (34676, "SGI log"),
        (12345, "compression 12345"),
    ],
)
def test_a_compression_that_is_not_read_is_named(compression: int, name: str) -> None:
    with pytest.raises(PictureError) as caught:
        answer_to(tiff([[[1, 2, 3]]], Layout(RGB, compression=compression)), PNG)
    assert str(caught.value) == f"unsupported: TIFF: RGB, 8 bits, {name} is not decoded here"


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        (Layout(LAB, 16, extras=(2,)), "CIELab, 16 bits, uncompressed, 4 samples (extra: 2)"),
        (Layout(GREY, 16, SIGNED), "grey, 16 signed bits, uncompressed"),
        (Layout(RGB, 64, FLOAT, planar=True), "RGB, 64 floating point bits, uncompressed, planar"),
        (Layout(CMYK, tags=((332, "H", (2,)),)), "CMYK, 8 bits, uncompressed, other inks"),
        (Layout(RGB, predictor=2), "RGB, 8 bits, uncompressed, predictor 2"),
    ],
)
def test_what_is_not_read_is_told_with_what_is_special_about_it(layout: Layout, said: str) -> None:
    with pytest.raises(PictureError) as caught:
        answer_to(tiff(samples(layout), layout), PNG)
    assert str(caught.value) == f"unsupported: TIFF: {said} is not decoded here"


def test_a_palette_of_eight_bits_is_taken_as_that() -> None:
    layout = Layout(PALETTE, 1, tags=((320, "H", (0, 200, 0, 100, 0, 50)),))
    assert pixel(rendition(tiff([[[0], [1]]], layout), PNG).convert("RGB"), (1, 0)) == (200, 100, 50)


def test_sizes_beyond_sense_are_unsupported() -> None:
    for tags in ({258: 2**32 - 1}, {277: 2**32 - 1}, {277: 0}):
        content = bytearray(tiff([[[1]]], Layout(GREY)))
        set_tags(content, tags)
        with pytest.raises(PictureError) as caught:
            answer_to(bytes(content), PNG)
        assert caught.value.kind is ErrorKind.UNSUPPORTED


def test_a_big_endian_bigtiff_is_unsupported() -> None:
    with pytest.raises(PictureError) as caught:
        answer_to(b"MM\0+\0\x08\0\0" + bytes(64), PNG)
    assert caught.value.kind is ErrorKind.UNSUPPORTED


@pytest.mark.parametrize(
    "beside", [(254, "L", (1,)), (255, "H", (2,)), (254, "L", (4,))], ids=["reduced", "old", "mask"]
)
def test_the_main_page_is_the_first_that_is_no_preview(beside: tiffs.Entry) -> None:
    small: Rows = [[[0]]]
    large: Rows = [[[255], [0]]]
    content = tiffs.pages((small, Layout(GREY, tags=(beside,))), (large, Layout(GREY)))
    answer, _ = answer_to(content, PNG)
    assert (answer.header.width, answer.header.frames) == (2, 2)
    assert rendition(content, PNG).size == (2, 1)
    assert rendition(content, replace(PNG, page=0)).size == (1, 1)
    assert rendition(content, replace(PNG, page=1)).size == (2, 1)
    alone = tiff(small, Layout(GREY, tags=(beside,)))
    assert rendition(alone, PNG).size == (1, 1)


def test_a_preview_that_cannot_be_read_is_in_nobodys_way() -> None:
    content = tiffs.pages(([[[0]]], Layout(GREY, 16, SIGNED, tags=((254, "L", (1,)),))), ([[[255], [0]]], Layout(GREY)))
    assert rendition(content, PNG).size == (2, 1)
    answer, _ = answer_to(content, PNG)
    assert answer.warnings == ("page 1 of 2 pages only",)


@needs_libvips
@pytest.mark.parametrize("orientation", range(1, 9))
def test_what_libvips_reads_is_upright(orientation: int) -> None:
    rows: Rows = [[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]] * 2
    layout = Layout(RGB, 32, FLOAT, tags=((0x0112, "H", (orientation,)),))
    got = rendition(tiff(rows, layout), PNG)
    plain = Image.frombytes("RGB", (3, 2), bytes([255, 0, 0, 0, 255, 0, 0, 0, 255] * 2))
    same = rendition(encoded(plain, "TIFF", tiffinfo={0x0112: orientation}), PNG)
    assert (got.size, got.tobytes()) == (same.size, same.tobytes())


@needs_libvips
def test_a_page_for_libvips_that_is_cut_off_is_truncated() -> None:
    content = tiff([[[0.5, 0.5, 0.5]] * 8] * 8, Layout(RGB, 32, FLOAT))
    start = int.from_bytes(content[4:8], "little")
    directory_first = b"II*\0\x08\0\0\0" + content[start:]  # which points to strips beyond the end
    with pytest.raises(PictureError) as caught:
        answer_to(directory_first, PNG)
    assert caught.value.kind is ErrorKind.TRUNCATED
