"""Camera raws of which only the structure is real: their previews are pictures, the values of their sensors are not."""

from __future__ import annotations

import struct

from tests.pictures import encoded, quarters

Tags = dict[int, "int | bytes | list[int]"]

SMALL = encoded(quarters((64, 48)), "JPEG", quality=95)
LARGE = encoded(quarters((320, 240)), "JPEG", quality=95)
LOSSLESS = b"\xff\xd8\xff\xc3\x00\x0b\x0e" + struct.pack(">HH", 3000, 4000) + bytes(60)  # values of a sensor


class Tiff:
    """Builds the bytes of a TIFF's directories."""

    def __init__(self, order: str = "<", magic: bytes = b"") -> None:
        self.order = order
        self.content = bytearray(magic or {"<": b"II*\0", ">": b"MM\0*"}[order]) + bytes(4)

    def put(self, content: bytes) -> int:
        """The offset at which it lies."""
        at = len(self.content)
        self.content += content + bytes(len(content) % 2)
        return at

    def directory(self, tags: Tags, after: int = 0) -> int:
        entries = []
        for tag, value in sorted(tags.items()):
            values = [value] if isinstance(value, int) else value
            if isinstance(values, bytes):
                kind, raw, count = 2, values, len(values)
            else:
                kind, raw, count = 4, struct.pack(f"{self.order}{len(values)}L", *values), len(values)
            field = raw.ljust(4, b"\0") if len(raw) <= 4 else struct.pack(self.order + "L", self.put(raw))
            entries.append(struct.pack(self.order + "HHL", tag, kind, count) + field)
        body = struct.pack(self.order + "H", len(entries)) + b"".join(entries) + struct.pack(self.order + "L", after)
        return self.put(body)

    def whole(self, first: int) -> bytes:
        struct.pack_into(self.order + "L", self.content, 4, first)
        return bytes(self.content)


def nef(order: str = ">", orientation: int = 1, magic: bytes = b"", texts: Tags | None = None) -> bytes:
    """Previews in sub-directories, beside values of the sensor."""
    tiff = Tiff(order, magic)
    small, large, sensor = tiff.put(SMALL), tiff.put(LARGE), tiff.put(LOSSLESS)
    subs = [
        tiff.directory({513: large, 514: len(LARGE)}),
        tiff.directory({259: 7, 262: 32803, 273: sensor, 279: len(LOSSLESS)}),
    ]
    first: Tags = {274: orientation, 273: small, 279: len(SMALL), 259: 6, 330: subs}
    return tiff.whole(tiff.directory(first | (texts or {})))


def cr2() -> bytes:
    """Directories in a chain."""
    tiff = Tiff()
    tiff.content += b"CR\2\0" + bytes(4)
    sensor = tiff.put(LOSSLESS)
    last = tiff.directory({259: 6, 273: sensor, 279: len(LOSSLESS)})
    small = tiff.put(SMALL)
    middle = tiff.directory({513: small, 514: len(SMALL)}, last)
    large = tiff.put(LARGE)
    return tiff.whole(tiff.directory({259: 6, 273: large, 279: len(LARGE), 274: 1}, middle))


def rw2() -> bytes:
    tiff = Tiff(magic=b"IIU\0")
    return tiff.whole(tiff.directory({0x2E: LARGE, 274: 1}))


def raf() -> bytes:
    return b"FUJIFILMCCD-RAW ".ljust(84, b"\0") + struct.pack(">LL", 100, len(LARGE)) + bytes(8) + LARGE


def box(kind: bytes, *parts: bytes) -> bytes:
    return struct.pack(">L4s", 8 + sum(map(len, parts)), kind) + b"".join(parts)


def cr3(orientation: int = 1) -> bytes:
    facts = Tiff()
    facts_ = facts.whole(facts.directory({274: orientation}))
    start = box(b"ftyp", b"crx \0\0\0\1crx isom")
    metadata = box(b"uuid", bytes.fromhex("85c0b687820f11e08111f4ce462b6a48"), box(b"CMT1", facts_))
    size = box(b"stsz", struct.pack(">LLL", 0, len(LARGE), 1))
    table = box(b"stbl", size, box(b"co64", struct.pack(">LLQ", 0, 1, 0)))
    moov = box(b"moov", metadata, box(b"trak", box(b"mdia", box(b"minf", table))))
    small = box(b"PRVW", bytes(16), SMALL)
    beside = box(b"uuid", bytes.fromhex("eaf42b5e1c984b88b9fbb7dc406e4d16"), bytes(8), small)
    at = len(start) + len(moov) + len(beside) + 8
    moov = moov.replace(struct.pack(">LLQ", 0, 1, 0), struct.pack(">LLQ", 0, 1, at))
    return start + moov + beside + box(b"mdat", LARGE)
