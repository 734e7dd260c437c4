"""IPTC's older form (IIM), which news agencies and Photoshop leave in JPEGs and TIFFs: read only.

What is kept of it goes along as EXIF and XMP, which every program of today reads.
"""

from __future__ import annotations

_RECORD = 2
_CHARSET = (1, 90)
BYLINE, CREDIT, COPYRIGHT = 80, 110, 116
_VALUE = 10_000  # bytes of one value
_MOST = 1_000  # values
RESOURCE = 0x0404  # its number among Photoshop's


def read(iim: bytes) -> dict[int, tuple[str, ...]]:
    """The values of the application record, by their numbers. Never raises; ends where it makes no sense any more."""
    found: dict[int, list[bytes]] = {}
    charset = b""
    at = 0
    for _ in range(_MOST):
        if at + 5 > len(iim) or iim[at] != 0x1C:
            break
        record, number, size = iim[at + 1], iim[at + 2], int.from_bytes(iim[at + 3 : at + 5])
        if size & 0x8000:  # the size of a size; nothing that long is a text
            break
        value = iim[at + 5 : at + 5 + size]
        if (record, number) == _CHARSET:
            charset = value
        elif record == _RECORD and size <= _VALUE:
            found.setdefault(number, []).append(value)
        at += 5 + size
    return {number: tuple(_text(value, charset) for value in values) for number, values in found.items()}


def in_resources(block: bytes) -> bytes:
    """The IPTC in Photoshop's resources, where that is what `block` holds; a block that is IPTC itself as it is."""
    at = 0
    block = block.removeprefix(b"Photoshop 3.0\0")
    while block[at : at + 4] == b"8BIM" and at + 12 <= len(block):
        number = int.from_bytes(block[at + 4 : at + 6])
        named = at + 6 + (block[at + 6] + 2) // 2 * 2  # behind a name of one length byte, padded to an even number
        size = int.from_bytes(block[named : named + 4])
        if number == RESOURCE:
            return block[named + 4 : named + 4 + size]
        at = named + 4 + size + size % 2
    return block if block[:1] == b"\x1c" else b""


def _text(value: bytes, charset: bytes) -> str:
    """In the character set that was declared; undeclared, UTF-8 where it is that, else Latin-1."""
    try:
        return value.decode("utf-8").strip(" \0")
    except UnicodeDecodeError:
        return value.decode("utf-8" if charset == b"\x1b%G" else "latin-1", "replace").strip(" \0")
