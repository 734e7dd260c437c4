from __future__ import annotations

import struct

from pipeline.render.container.riff import is_short, riff_chunks


def test_chunks_are_padded_to_an_even_length() -> None:
    chunks = b"EXIF" + struct.pack("<L", 3) + b"abc\0" + b"XMP " + struct.pack("<L", 2) + b"de"
    content = b"RIFF" + struct.pack("<L", 4 + len(chunks)) + b"WEBP" + chunks
    assert [(kind, content[start : start + size]) for kind, start, size in riff_chunks(content)] == [
        (b"EXIF", b"abc"),
        (b"XMP ", b"de"),
    ]
    assert not is_short(content)
    assert is_short(content[:-1])
