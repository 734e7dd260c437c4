from __future__ import annotations

import struct

from pipeline.render.container.bmff import boxes, is_short


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
