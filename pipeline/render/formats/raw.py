"""Camera raws: the largest JPEG that the camera has put into the file to show it. No value of the sensor is decoded.

Read are the structures of TIFF (CR2, NEF, ARW, DNG, ORF, RW2 and others), of CR3 and RAF, as far as a preview needs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from pipeline.errors import ErrorKind, PictureError
from pipeline.render.container.bmff import boxes
from pipeline.render.container.tiff import field_count, fields
from pipeline.render.container.view import View
from pipeline.render.metadata import exif

_ORDERS = {b"II": "<", b"MM": ">"}
_STRIPS, _STRIP_SIZES, _COMPRESSION, _ORIENTATION = 273, 279, 259, 274
_JPEG, _JPEG_SIZE, _SUB_DIRECTORIES = 513, 514, 330
_PANASONIC_JPEG = 0x2E  # tag whose value is a JPEG
_JPEGS = (6, 7)  # kinds of compression; also of lossless JPEG, which holds values of the sensor
_TEXTS = (0x010F, 0x0110, 0x013B, 0x8298)  # make, model, artist, copyright
_MOST_DIRECTORIES, _MOST_FIELDS, _MOST_TEXT = 40, 500, 1000
_SHORT, _ASCII = 3, 2
_BASELINE = (0xC0, 0xC1, 0xC2)  # frames of JPEG that a decoder for pictures reads
_LOOKED_THROUGH = 200  # segments of a JPEG in search of its frame
_RAF, _RAF_JPEG = b"FUJIFILMCCD-RAW", 84  # its mark, and where offset and size of its JPEG are
_CR3_PREVIEW = bytes.fromhex("eaf42b5e1c984b88b9fbb7dc406e4d16")
_CR3_METADATA = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
_PATH = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
_DEEPEST = 8  # boxes within each other; cameras write six
_MOST_BOXES = 300  # looked at; cameras write about a hundred
_MOST_SPANS = 100  # JPEGs looked at


@dataclass(slots=True)
class _Found:
    """What a file says: the spans of its JPEGs, the orientation and texts of its first directory."""

    spans: list[tuple[int, int]] = field(default_factory=list)  # where they start and end
    orientation: int = 1
    texts: dict[int, bytes] = field(default_factory=dict)
    boxes: int = 0  # looked at so far


@dataclass(frozen=True, slots=True)
class Preview:
    """The JPEG, its size in pixels, and a block of EXIF with what the raw says of it."""

    content: bytes
    size: tuple[int, int]
    exif: bytes


def preview(view: View) -> Preview:
    """The largest preview in the raw `view`. Raises PictureError (`unsupported`) if there is none."""
    found = _Found()
    try:
        if view[: len(_RAF)] == _RAF:
            start, size = struct.unpack_from(">LL", view, _RAF_JPEG)
            found.spans.append((start, start + size))
        elif view[4:8] == b"ftyp":
            _read_boxes(view, 0, len(view), found)
        else:
            _read_tiff(view, 0, found)
    except struct.error:
        pass  # what was found before the damage counts
    spans = found.spans[:_MOST_SPANS]
    sized = [(size[0] * size[1], size, span) for span in spans if (size := _size(view, *span))]
    if not sized:
        raise PictureError(ErrorKind.UNSUPPORTED, "camera raw without a preview")
    _, size, (start, end) = max(sized)
    return Preview(view[start : min(end, len(view))], size, _exif(found))


def joined(own: bytes, of_raw: bytes) -> bytes:
    """The EXIF of a preview, and what only that of its raw states; `of_raw` alone where the other says nothing."""
    said = exif.read(own)
    if not said.main:
        return of_raw
    more = exif.read(of_raw).main
    missing = {
        tag: entry for tag, entry in more.items() if tag not in said.main or not said.main[tag].value.strip(b" \0")
    }
    return exif.write(replace(said, main={**said.main, **missing})) if missing else own


def _read_tiff(view: View, base: int, found: _Found) -> None:
    """Reads the directories of a TIFF at `base`, whatever its version. Raises struct.error on damage."""
    order = _ORDERS.get(bytes(view[base : base + 2]))
    if order is None:
        return
    (first,) = struct.unpack_from(order + "L", view, base + 4)
    waiting, seen = [first], set[int]()
    while waiting and len(seen) < _MOST_DIRECTORIES:
        at = waiting.pop(0)
        if not at or at in seen:
            continue
        seen.add(at)
        count = min(_MOST_FIELDS, field_count(view, order, base + at))
        values = {tag: (kind, length, place) for tag, kind, length, place in fields(view, order, base + at, count)}
        if at == first:
            _read_facts(view, order, base, values, found)
        found.spans += _jpegs(view, order, base, values)
        waiting += _numbers(view, order, base, values.get(_SUB_DIRECTORIES))
        waiting += struct.unpack_from(order + "L", view, base + at + 2 + 12 * count)


_Value = tuple[int, int, int]  # its kind, how many there are, and where it or its offset is


def _numbers(view: View, order: str, base: int, value: _Value | None) -> tuple[int, ...]:
    if value is None:
        return ()
    kind, length, place = value
    code, width = ("H", 2) if kind == _SHORT else ("L", 4)
    length = min(length, _MOST_DIRECTORIES)
    at = place if length * width <= 4 else base + struct.unpack_from(order + "L", view, place)[0]
    return struct.unpack_from(f"{order}{length}{code}", view, at)


def _jpegs(view: View, order: str, base: int, values: dict[int, _Value]) -> Iterator[tuple[int, int]]:
    pairs = [(_JPEG, _JPEG_SIZE)]
    if _numbers(view, order, base, values.get(_COMPRESSION))[:1] in [(kind,) for kind in _JPEGS]:
        pairs.append((_STRIPS, _STRIP_SIZES))
    for tag, size_tag in pairs:
        starts, sizes = (_numbers(view, order, base, values.get(each)) for each in (tag, size_tag))
        if len(starts) == len(sizes) == 1:
            yield base + starts[0], base + starts[0] + sizes[0]
    if _PANASONIC_JPEG in values:
        _, length, place = values[_PANASONIC_JPEG]
        (start,) = struct.unpack_from(order + "L", view, place)
        yield base + start, base + start + length


def _read_facts(view: View, order: str, base: int, values: dict[int, _Value], found: _Found) -> None:
    said = _numbers(view, order, base, values.get(_ORIENTATION))
    found.orientation = said[0] if said and 1 <= said[0] <= 8 else 1
    for tag in _TEXTS:
        kind, length, place = values.get(tag, (0, 0, 0))
        if kind == _ASCII and 0 < length <= _MOST_TEXT:
            at = place if length <= 4 else base + struct.unpack_from(order + "L", view, place)[0]
            found.texts[tag] = view[at : at + length]


def _read_boxes(view: View, at: int, end: int, found: _Found, depth: int = 1) -> None:
    """Reads a CR3: the preview of its own box, and the JPEGs that are its tracks."""
    if depth > _DEEPEST:
        return
    for kind, start, after in _counted(boxes(view, at, end), found):
        if kind in _PATH:
            _read_boxes(view, start, after, found, depth + 1)
        elif kind == b"uuid" and view[start : start + 16] == _CR3_METADATA:
            _read_boxes(view, start + 16, after, found, depth + 1)
        elif kind == b"uuid" and view[start : start + 16] == _CR3_PREVIEW:
            _read_boxes(view, start + 24, after, found, depth + 1)
        elif kind == b"CMT1":
            _read_tiff(view, start, found)
        elif kind == b"PRVW" and after - start > 16:
            found.spans.append((start + 16, after))
        elif kind == b"stsz":
            sizes = struct.unpack_from(">LLL", view, start)
            found.spans.append((0, sizes[1] or struct.unpack_from(">L", view, start + 12)[0]))
        elif kind in (b"co64", b"stco") and found.spans:
            (place,) = struct.unpack_from(">Q" if kind == b"co64" else ">L", view, start + 8)
            found.spans.append((place, place + found.spans.pop()[1]))


def _counted(each: Iterator[tuple[bytes, int, int]], found: _Found) -> Iterator[tuple[bytes, int, int]]:
    for box in each:
        found.boxes += 1
        if found.boxes > _MOST_BOXES:
            return
        yield box


def _size(view: View, start: int, end: int) -> tuple[int, int] | None:
    """Width and height of the JPEG between `start` and `end`; None if it is none that shows a picture."""
    if not 0 < start < end or view[start : start + 3] != b"\xff\xd8\xff":
        return None
    at = start + 2
    for _ in range(_LOOKED_THROUGH):
        marker = view[at : at + 2]
        if len(marker) < 2 or marker[0] != 0xFF or at + 9 > min(end, len(view)):
            return None
        if marker[1] in _BASELINE:
            height, width = struct.unpack_from(">HH", view, at + 5)
            return (width, height) if width and height else None
        if 0xC3 <= marker[1] <= 0xCF and marker[1] not in (0xC4, 0xC8, 0xCC):
            return None  # lossless and others
        at += 2 + max(2, int.from_bytes(view[at + 2 : at + 4]))
    return None


def _exif(found: _Found) -> bytes:
    """A block of EXIF with the orientation and the texts."""
    entries = [(tag, _ASCII, content.rstrip(b"\0") + b"\0") for tag, content in found.texts.items()]
    entries.append((_ORIENTATION, _SHORT, struct.pack("<H", found.orientation)))
    start = 8 + 2 + 12 * len(entries) + 4
    table, content = struct.pack("<2sHLH", b"II", 42, 8, len(entries)), b""
    for tag, kind, value in sorted(entries):
        table += struct.pack("<HHL", tag, kind, 1 if kind == _SHORT else len(value))
        if len(value) <= 4:
            table += value.ljust(4, b"\0")
        else:
            table += struct.pack("<L", start + len(content))
            content += value + bytes(len(value) % 2)
    return b"Exif\0\0" + table + bytes(4) + content
