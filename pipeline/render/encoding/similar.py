"""Seeks the lowest quality at which a file is as similar as asked to the pixels that it is made of.

The first quality tried is that at which photographs usually have the score. The difference of its file from the usual
leads to the next, and two files on either side to one between them. Nothing but the pixels and the spec decides, so
that the order of pictures, threads and processes change no byte.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from itertools import pairwise

from pipeline.model.spec import Format, Limits, Spec
from pipeline.render.colour import hdr
from pipeline.render.encoding.encode import encode
from pipeline.render.encoding.encode_input import EncodeInput
from pipeline.render.opening.decode import first_in_srgb
from pipeline.render.opening.source import opening
from pipeline.render.pixels import ssimulacra2
from pipeline.render.pixels.deep import Deep
from pipeline.workers.exchange import whole

_MOST_TRIES = 5
_ENOUGH = 0.5  # points above what was asked for, at which a file is taken
_LEAST, _MOST = 1, 100
# Qualities, and what 12 photographs at 300 px had there on average.
_USUAL = {
    Format.JPEG: ((1, 0), (10, 16), (25, 52), (40, 63), (55, 70), (70, 74), (80, 80), (90, 89), (100, 96)),
    Format.WEBP: ((1, 30), (10, 43), (25, 56), (40, 64), (55, 69), (70, 74), (80, 79), (90, 85), (100, 89)),
    Format.AVIF: ((1, 0), (10, 19), (25, 40), (40, 61), (55, 75), (70, 84), (80, 87), (90, 91), (100, 96)),
    Format.JXL: ((1, 17), (10, 31), (25, 54), (40, 60), (55, 66), (70, 74), (80, 80), (90, 87), (100, 97)),
}


@dataclass(frozen=True, slots=True)
class Tried:
    """A file in a sealed descriptor, which the caller closes."""

    descriptor: int
    size: int
    quality: int
    score: float


class Measure:
    """Scores encoded files by the first of the frames that they are made of; both tone-mapped where they are HDR."""

    def __init__(self, encode_input: EncodeInput) -> None:
        first = encode_input.images[0]
        self._is_hdr = isinstance(first, Deep) and hdr.said(encode_input.icc) is not None
        if isinstance(first, Deep):
            seen, _warnings = first.in_srgb(encode_input.icc) if self._is_hdr else (first, ())
            first = seen.rounded()
        self._original = ssimulacra2.Original(first)

    def score(self, descriptor: int) -> float:
        """Its SSIMULACRA 2, to two decimals."""
        with opening(whole(descriptor)) as source:
            if self._is_hdr:
                return round(self._original.score(first_in_srgb(source, Limits())), 2)
            source.image.load()
            return round(self._original.score(source.image), 2)


def is_measurable(encode_input: EncodeInput) -> bool:
    """Whether pictures of this size have a score: from 8 pixels a side."""
    return min(encode_input.images[0].size) >= ssimulacra2.LEAST_SIDE


def sought(encode_input: EncodeInput, spec: Spec, goal: float, hint: int | None, measure: Measure) -> Tried:
    """The file of the lowest quality, as far as five tries tell, whose score is `goal`; if none has, the last resort.

    That is quality 100. Of an animation the first frame is tried, and then all are encoded. `hint`: the quality that an
    earlier search for these pixels ended with.
    """
    still = replace(encode_input, images=encode_input.images[:1], durations=())
    tries: list[Tried] = []
    descriptors: list[int] = []
    chosen: Tried | None = None
    quality: int | None = hint if hint is not None and _LEAST <= hint <= _MOST else _at(spec.format, goal)
    try:
        while quality is not None:
            descriptor, size = encode(still, spec, quality)
            descriptors.append(descriptor)
            tries.append(Tried(descriptor, size, quality, measure.score(descriptor)))
            quality = None if quality == hint and tries[-1].score >= goal else _next(spec.format, tries, goal)
        reached = [each for each in tries if each.score >= goal]
        found = min(reached, key=lambda each: each.quality) if reached else tries[-1]
        if len(encode_input.images) > 1:
            descriptor, size = encode(encode_input, spec, found.quality)
            return replace(found, descriptor=descriptor, size=size)
        chosen = found
        return found
    finally:
        for descriptor in descriptors:
            if chosen is None or descriptor != chosen.descriptor:
                os.close(descriptor)


def _next(format_: Format, tries: list[Tried], goal: float) -> int | None:
    """The quality to try after these; None if the search is at its end."""
    last = tries[-1]
    if len(tries) == _MOST_TRIES or goal <= last.score < goal + _ENOUGH:
        return None
    over = min((each for each in tries if each.score >= goal), key=lambda each: each.quality, default=None)
    high = over.quality if over else _MOST + 1
    below = (each for each in tries if each.score < goal and each.quality < high)
    under = max(below, key=lambda each: each.quality, default=None)
    low = under.quality if under else _LEAST - 1
    if high - low == 1:
        return None
    if over is None and len(tries) == _MOST_TRIES - 1:
        return _MOST
    aim = goal + _ENOUGH / 2
    if over and under:
        guess = round(low + (aim - under.score) / (over.score - under.score) * (high - low))
    else:
        guess = _at(format_, aim + _usually(format_, last.quality) - last.score)
    return min(max(guess, low + 1), high - 1)


def _usually(format_: Format, quality: int) -> float:
    for (low, score), (high, better) in pairwise(_USUAL[format_]):
        if quality <= high:
            return score + (better - score) * (quality - low) / (high - low)
    return 100.0


def _at(format_: Format, score: float) -> int:
    """The quality at which photographs usually have this score."""
    for (low, worse), (high, better) in pairwise(_USUAL[format_]):
        if score <= better:
            return max(_LEAST, round(low + (high - low) * (score - worse) / (better - worse)))
    return _MOST
