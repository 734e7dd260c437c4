from __future__ import annotations

import struct

import pytest

from pipeline.render.container.tiff import field_count, fields, is_short, page_count, read_header
from pipeline.render.metadata import exif


def tiff(order: str, *entries: tuple[int, int, int, int], following: int = 0) -> bytes:
    """A classic TIFF whose first directory has `entries`: tag, type, number of values, value."""
    head = struct.pack(f"{order}2sHL", b"II" if order == "<" else b"MM", 42, 8)
    table = struct.pack(f"{order}H", len(entries)) + b"".join(struct.pack(f"{order}HHLL", *entry) for entry in entries)
    return head + table + struct.pack(f"{order}L", following)


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_fields_of_a_directory_are_walked_in_its_byte_order(order: str) -> None:
    content = tiff(order, (256, 4, 1, 640), (257, 4, 1, 480))
    header = read_header(content)
    assert header == (order, False, 8)
    walked = fields(content, order, header.first, field_count(content, order, header.first))
    assert [(tag, kind, count, struct.unpack_from(f"{order}L", content, at)[0]) for tag, kind, count, at in walked] == [
        (256, 4, 1, 640),
        (257, 4, 1, 480),
    ]


def test_directories_in_a_circle_are_counted_up_to_the_bound() -> None:
    assert page_count(tiff("<", following=8), 5) == 5


def test_strips_beyond_the_end_make_a_tiff_short() -> None:
    assert is_short(tiff("<", (273, 4, 1, 100), (279, 4, 1, 1_000)))
    assert not is_short(tiff("<", (273, 4, 1, 8), (279, 4, 1, 10)))


@pytest.mark.parametrize("offset", [8, 2**40, 2**63, 2**64 - 1])
def test_no_offset_of_a_bigtiff_is_an_error_of_a_walker(offset: int) -> None:
    content = struct.pack("<2sHHHQ", b"II", 43, 8, 0, offset) + bytes(8)
    assert page_count(content, 5) in (1, 2)
    assert is_short(content) is (offset > len(content))
    assert exif.read(content).damaged
