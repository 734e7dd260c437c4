"""HDR: pictures whose pixels state brightness by the transfer function PQ or HLG (ITU-R BT.2100).

What a file states travels with its profile, as the tags `cicp` and `lumi` that ICC defines for it. So a profile that
was embedded with a `cicp` tag counts, too.
"""

from __future__ import annotations

import functools
import struct
from dataclasses import dataclass

TRANSFERS = {16: "PQ", 18: "HLG"}  # codes of ITU-T H.273, table 3
DEFAULT_PEAK = 1000.0  # cd/m2 of the brightest pixel where nothing is said: the nominal peak of BT.2100's HLG
_MOST_TAGS = 100
_LOOKED_AT = 132 + 12 * _MOST_TAGS
_ENTRY = 12  # bytes in the table of tags, which begins at 132


@dataclass(frozen=True, slots=True)
class Hdr:
    """The codes of primaries and transfer function, and the brightest pixel in cd/m2."""

    primaries: int
    transfer: int
    peak: float = DEFAULT_PEAK

    @property
    def name(self) -> str:
        """`PQ` or `HLG`."""
        return TRANSFERS[self.transfer]


def tags_of(hdr: Hdr) -> dict[bytes, bytes]:
    """The tags of a profile that say `hdr`."""
    return {
        b"cicp": b"cicp\0\0\0\0" + bytes((hdr.primaries, hdr.transfer, 0, 1)),
        b"lumi": b"XYZ \0\0\0\0" + struct.pack(">3l", 0, round(hdr.peak * 65536), 0),
    }


@functools.lru_cache(maxsize=32)
def said(icc: bytes | None) -> Hdr | None:
    """What the profile `icc` says of PQ or HLG; None if it does not. Never raises."""
    if icc is None or b"cicp" not in icc[:_LOOKED_AT]:
        return None
    try:
        (count,) = struct.unpack_from(">L", icc, 128)
        entries = [struct.unpack_from(">4sLL", icc, 132 + _ENTRY * number) for number in range(min(count, _MOST_TAGS))]
        places = {name: start for name, start, _size in entries}
        primaries, transfer = struct.unpack_from(">BB", icc, places[b"cicp"] + 8)
        if transfer not in TRANSFERS:
            return None
        light = places.get(b"lumi")
        peak = DEFAULT_PEAK if light is None else struct.unpack_from(">l", icc, light + 12)[0] / 65536
    except (struct.error, KeyError):
        return None
    return Hdr(primaries, transfer, peak if 1 <= peak <= 10_000 else DEFAULT_PEAK)
