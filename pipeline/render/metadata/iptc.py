"""IPTC's older form (IIM), which news agencies and Photoshop write into JPEGs and TIFFs: a reader.

Renditions carry the kept values as EXIF and XMP, which every current program reads.
"""

from __future__ import annotations

_RECORD = 2
_CHARSET = (1, 90)
BYLINE, CREDIT, COPYRIGHT = 80, 110, 116
_VALUE = 10_000  # bytes of one value
_MOST = 1_000  # values
RESOURCE = 0x0404  # its number among Photoshop's resources


def read(iim: bytes) -> dict[int, tuple[str, ...]]:
    """The values of the application record, by number. Never raises; stops at the first invalid field."""
    by_number: dict[int, list[bytes]] = {}
    charset = b""
    at = 0
    for _ in range(_MOST):
        if at + 5 > len(iim) or iim[at] != 0x1C:
            break
        record, number, size = iim[at + 1], iim[at + 2], int.from_bytes(iim[at + 3 : at + 5])
        if size & 0x8000:  # an extended size: no text is that long
            break
        value = iim[at + 5 : at + 5 + size]
        if (record, number) == _CHARSET:
            charset = value
        elif record == _RECORD and size <= _VALUE:
            by_number.setdefault(number, []).append(value)
        at += 5 + size
    return {number: tuple(_text(value, charset) for value in values) for number, values in by_number.items()}


def in_resources(block: bytes) -> bytes:
    """The IPTC within `block` if that holds Photoshop's resources, else `block` unchanged."""
    at = 0
    block = block.removeprefix(b"Photoshop 3.0\0")
    while block[at : at + 4] == b"8BIM" and at + 12 <= len(block):
        number = int.from_bytes(block[at + 4 : at + 6])
        named = at + 6 + (block[at + 6] + 2) // 2 * 2  # the name has a length byte and is padded to an even length
        size = int.from_bytes(block[named : named + 4])
        if number == RESOURCE:
            return block[named + 4 : named + 4 + size]
        at = named + 4 + size + size % 2
    return block if block[:1] == b"\x1c" else b""


def _text(value: bytes, charset: bytes) -> str:
    """Decodes in the declared character set; undeclared: UTF-8 where it is valid, else Latin-1."""
    try:
        return value.decode("utf-8").strip(" \0")
    except UnicodeDecodeError:
        return value.decode("utf-8" if charset == b"\x1b%G" else "latin-1", "replace").strip(" \0")
