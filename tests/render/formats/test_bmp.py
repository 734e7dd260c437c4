from __future__ import annotations

import struct

import pytest

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.spec import Format, Spec
from tests.pictures import near, pixel
from tests.render.drawing import answer_to, rendition

PNG = Spec("a", format=Format.PNG)
COLOURS = ((255, 0, 0, 255), (0, 255, 0, 136), (0, 0, 255, 255), (255, 255, 255, 0), (51, 119, 204, 255))
LAYOUTS = {
    "565": (16, (0xF800, 0x07E0, 0x001F, 0)),
    "555": (16, (0x7C00, 0x03E0, 0x001F, 0)),
    "1555": (16, (0x7C00, 0x03E0, 0x001F, 0x8000)),
    "4444": (16, (0x0F00, 0x00F0, 0x000F, 0xF000)),
    "444": (16, (0x0F00, 0x00F0, 0x000F, 0)),
    "565, blue first": (16, (0x001F, 0x07E0, 0xF800, 0)),
    "2101010": (32, (0x3FF00000, 0x000FFC00, 0x000003FF, 0xC0000000)),
    "1010102": (32, (0xFFC00000, 0x003FF000, 0x00000FFC, 0x00000003)),
    "8888": (32, (0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000)),
    "8888, ABF": (32, (0x0000FF00, 0x00FF0000, 0xFF000000, 0x000000FF)),
    "888": (32, (0x00FF0000, 0x0000FF00, 0x000000FF, 0)),
}


def stored(level: int, mask: int) -> int:
    low = mask & -mask
    return round(level * (mask // low) / 255) * low if mask else 0


def shown(level: int, mask: int) -> int:
    most = mask // (mask & -mask)
    return round(round(level * most / 255) * 255 / most)


def bitmap(bits: int, masks: tuple[int, ...], *, size: int, compression: int = 3, upside_down: bool = False) -> bytes:
    """Two rows: the colours, and the same backwards."""
    rows = [COLOURS, COLOURS[::-1]] if upside_down else [COLOURS[::-1], COLOURS]
    unit, content = ("H" if bits == 16 else "L"), b""
    for row in rows:
        line = b"".join(struct.pack(f"<{unit}", sum(map(stored, colour, masks)) % 2**bits) for colour in row)
        content += line + bytes(-len(line) % 4)
    height = -2 if upside_down else 2
    head = struct.pack("<LllHHLLllLL", size, len(COLOURS), height, 1, bits, compression, len(content), 0, 0, 0, 0)
    four = size >= 56 or compression == 6
    head = (head + struct.pack("<4L", *masks)[: 16 if four else 12]).ljust(size, b"\0")
    return b"BM" + struct.pack("<LLL", 14 + len(head) + len(content), 0, 14 + len(head)) + head + content


@pytest.mark.parametrize("upside_down", [False, True])
@pytest.mark.parametrize(("size", "compression"), [(40, 3), (40, 6), (52, 3), (56, 3), (108, 3), (124, 3)])
@pytest.mark.parametrize("name", LAYOUTS)
def test_bitfields_are_read_to_the_level(name: str, size: int, compression: int, *, upside_down: bool) -> None:
    bits, masks = LAYOUTS[name]
    if masks[3] and size < 56 and compression == 3:
        masks = (*masks[:3], 0)  # these have no place for it
    content = bitmap(bits, masks, size=size, compression=compression, upside_down=upside_down)
    got = rendition(content, PNG).convert("RGBA")
    for y, row in enumerate((COLOURS, COLOURS[::-1])):
        for x, colour in enumerate(row):
            wanted = tuple(shown(level, mask) if mask else 255 for level, mask in zip(colour, masks, strict=True))
            assert near(pixel(got, (x, y)), wanted, 1) or (pixel(got, (x, y))[3] == wanted[3] == 0)


@pytest.mark.parametrize(
    ("bits", "masks"),
    [(16, (0xF00F, 0x0FE0, 0x0010, 0)), (16, (0xFFFF, 0x07E0, 0x001F, 0)), (32, (0xFF0000, 0xFF, 0, 0))],
)
def test_bitfields_that_make_no_sense_are_unsupported(bits: int, masks: tuple[int, ...]) -> None:
    with pytest.raises(PictureError) as caught:
        answer_to(bitmap(bits, masks, size=108), PNG)
    assert caught.value.kind is ErrorKind.UNSUPPORTED


@pytest.mark.parametrize(("bits", "compression"), [(2, 0), (24, 4), (64, 0)])
def test_forms_that_are_not_read_are_unsupported(bits: int, compression: int) -> None:
    content = bytearray(bitmap(16, LAYOUTS["565"][1], size=40))
    struct.pack_into("<HL", content, 28, bits, compression)
    with pytest.raises(PictureError) as caught:
        answer_to(bytes(content), PNG)
    assert caught.value.kind is ErrorKind.UNSUPPORTED


def test_bitfields_that_are_cut_off_are_truncated() -> None:
    with pytest.raises(PictureError) as caught:
        answer_to(bitmap(16, LAYOUTS["4444"][1], size=56)[:-3], PNG)
    assert caught.value.kind is ErrorKind.TRUNCATED


def paletted(bits: int, palette: bytes, row: bytes) -> bytes:
    """One row of four pixels; the palette is of four bytes a colour."""
    content = row + bytes(-len(row) % 4)
    head = struct.pack("<LllHHLLllLL", 40, 4, 1, 1, bits, 0, len(content), 0, 0, len(palette) // 4, 0) + palette
    return b"BM" + struct.pack("<LLL", 14 + len(head) + len(content), 0, 14 + len(head)) + head + content


@pytest.mark.parametrize(
    ("bits", "greys", "row", "wanted"),
    [
        (1, (0, 255), b"\x60", [0, 255, 255, 0]),
        (4, (0, 255), b"\x01\x10", [0, 255, 255, 0]),
        (8, (0, 255), b"\0\1\1\0", [0, 255, 255, 0]),
        (4, range(16), b"\x0f\x30", [0, 15, 3, 0]),
        (8, range(16), b"\x00\x0f\x03\x00", [0, 15, 3, 0]),
        (4, (0, 17, 34, 51), b"\x01\x23", [0, 17, 34, 51]),
    ],
)
def test_a_palette_of_greys_is_read_with_its_own_bits(
    bits: int, greys: tuple[int, ...], row: bytes, wanted: list[int]
) -> None:
    palette = b"".join(bytes([grey] * 3 + [0]) for grey in greys)
    got = rendition(paletted(bits, palette, row), PNG).convert("L")
    assert [pixel(got, (x, 0))[0] for x in range(4)] == wanted
