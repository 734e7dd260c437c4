from __future__ import annotations

import struct

import pytest

from pipeline.render.container.bmff import boxes, is_short, properties, span


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">L4s", 8 + len(content), kind) + content


def test_boxes_of_either_size_are_walked_and_the_last_one_may_have_none() -> None:
    long = struct.pack(">L4sQ", 1, b"mdat", 16 + 3) + b"abc"
    open_ended = struct.pack(">L4s", 0, b"free") + b"to the end"
    content = box(b"ftyp", b"avif") + long + open_ended
    assert [(kind, content[start:end]) for kind, start, end in boxes(content, 0, len(content))] == [
        (b"ftyp", b"avif"),
        (b"mdat", b"abc"),
        (b"free", b"to the end"),
    ]
    assert not is_short(content)


def test_a_box_beyond_the_end_is_cut_there_and_the_file_counts_as_short() -> None:
    content = box(b"ftyp", b"avif") + box(b"mdat", bytes(100))[:50]
    assert list(boxes(content, 0, len(content)))[-1] == (b"mdat", 20, len(content))
    assert is_short(content)


def test_a_box_of_an_impossible_size_ends_the_walk() -> None:
    content = box(b"ftyp", b"avif") + struct.pack(">L4s", 4, b"bad ") + box(b"meta", b"")
    assert [kind for kind, _, _ in boxes(content, 0, len(content))] == [b"ftyp"]


def test_properties_are_found_within_their_parents_and_no_deeper() -> None:
    def kinds(content: bytes) -> list[bytes]:
        return [kind for kind, _, _ in properties(content)]

    container = box(b"iprp", box(b"ipco", box(b"colr", b"a") + box(b"clli", b"b")) + box(b"ipma", b""))
    assert kinds(box(b"ftyp", b"") + box(b"meta", bytes(4) + container)) == [b"ftyp", b"colr", b"clli", b"ipma"]
    assert kinds(box(b"ipco", box(b"ipco", box(b"colr", b"")))) == [b"ipco"]


def test_the_first_box_of_a_kind_is_found_or_that_is_an_error() -> None:
    content = box(b"free", b"") + box(b"meta", b"one") + box(b"meta", b"two")
    assert span(content, b"meta", 0, len(content)) == (16, 19)
    with pytest.raises(ValueError, match="no iloc box"):
        span(content, b"iloc", 0, len(content))
