"""JPEG: the scans of a file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from pipeline.render.container.view import View

MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # in entropy-coded bytes: neither stuffing, restart nor padding
SOS, EOI = 0xDA, 0xD9
_SEQUENTIAL = (0xC0, 0xC1, 0xC9)  # frames whose scans do not refine one another


def jpeg_scans(view: View, most: int) -> int:
    """The number of scans (SOS markers) in a JPEG's first picture, counted up to `most` + 1."""
    return sum(1 for _ in islice(_jpeg_scan_starts(view), most + 1))


def _jpeg_scan_starts(view: View) -> Iterator[int]:
    """Yields the offsets of the first picture's SOS markers.

    Stops after the first scan of a sequential picture that holds all components: decoders stop there as well, and
    nearly all photographs are spared the rest of the walk (1 ms for 2.4 MB).
    """
    at, components = 2, 0
    while match := MARKER.search(view, at):
        marker, body = view[match.start() + 1], match.end() + 2
        if marker == EOI or body > len(view):
            return
        if marker in _SEQUENTIAL and body + 6 <= len(view):
            components = view[body + 5]
        if marker == SOS:
            yield match.start()
            if body < len(view) and view[body] == components:
                return
        at = match.end() if marker in (0x01, 0xD8) else match.end() + max(2, int.from_bytes(view[body - 2 : body]))


def is_short(view: View) -> bool:
    """Whether a JPEG has no end marker."""
    return view.rfind(b"\xff\xd9") < 0
