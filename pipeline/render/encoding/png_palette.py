"""A PNG of 2, 4 or 16 colours whose rows are not filtered.

Filters predict a sample from its neighbours, and indices of colours do not follow from each other. Pillow filters them
where several share a byte, which makes such files a sixth larger (16 colours, 24 photographs at 480 px).
"""

from __future__ import annotations

import zlib

from PIL import Image

from pipeline.render.container.png import png_chunk, png_chunks

_DEPTH = 24  # offset of the byte in IHDR that has the bits of an index


def unfiltered(content: bytes, image: Image.Image, level: int) -> bytes:
    """The PNG that Pillow has made of `image` (mode P), or a smaller one with the same pixels. `level`: zlib's."""
    bits = content[_DEPTH]
    if bits == 8:  # Pillow does not filter these
        return content
    packed = image.tobytes("raw", f"P;{bits}")
    row = -(-image.width * bits // 8)
    rows = b"".join(b"\0" + packed[at : at + row] for at in range(0, len(packed), row))
    pixels = png_chunk(b"IDAT", zlib.compress(rows, level))
    parts = [content[:8]]
    for kind, at, size in png_chunks(content):
        if kind == b"IDAT":
            parts.append(pixels)
            pixels = b""  # it may have been several chunks
        else:
            parts.append(content[at - 8 : at + size + 4])
    return min(content, b"".join(parts), key=len)
