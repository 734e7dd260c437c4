"""The sample: few pictures of every stratum of a folder, so that those which recipes treat differently are in it.

It is drawn in two steps. Candidates come from all pictures by extension and size, and their headers are read. What
these say puts each candidate into a stratum, and from each stratum some are chosen. Every candidate stands for a number
of pictures, and so does every chosen one: totals for the folder are estimated from these numbers. Choices depend on
names and sizes only, so that the same folder gives the same sample.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pipeline.model.job import Job
from pipeline.model.rendering import Traits
from pipeline.run.tune.sample import Strata
from pipeline.sources.magic import extension

CANDIDATES = 10  # for each picture of the sample
_TENTH = 0.1
_EQUALLY = 0.5  # of the sample is shared out equally among the strata, the rest by their numbers of pictures
_COMPRESSED = frozenset({"jpg", "jpeg", "jpe", "jfif", "webp", "avif", "heic", "heif"})  # their bytes tell of noise

WORDS = {
    "animated": "more than one frame",
    "CMYK": "print colours",
    "transparent": "an alpha channel or a transparent colour",
    "rotated": "an EXIF orientation that turns or mirrors",
    "largest": "the tenth with the most pixels",
    "small": "the tenth with the fewest pixels",
    "noisy": "the tenth with the most bytes for a pixel, of photographic formats",
    "other": "everything else",
}
"""The strata and what puts a picture into one; the first that fits has it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A picture whose header was read. `stands_for` is a number of pictures of the folder."""

    source: str
    bytes: int
    stands_for: float
    traits: Traits

    @property
    def pixels(self) -> int:
        """Of one frame."""
        return self.traits.width * self.traits.height

    @property
    def noise(self) -> float:
        """Bytes for a pixel, of formats that compress noise badly; 0 for others."""
        return self.bytes / max(1, self.pixels) if extension(self.source) in _COMPRESSED else 0.0


@dataclass(frozen=True, slots=True)
class Picked:
    """A picture of the sample."""

    source: str
    stratum: str
    bytes: int
    stands_for: float
    traits: Traits


@dataclass(frozen=True, slots=True)
class Stratum:
    """The pictures of one kind: how many there are, as far as is known, and how many are in the sample."""

    name: str
    pictures: float
    picked: int


@dataclass(frozen=True, slots=True)
class Sample:
    """The pictures to render, by stratum and name, and what they stand for."""

    pictures: tuple[Picked, ...]
    strata: tuple[Stratum, ...]
    all_pictures: int  # of the folder
    candidates: int  # whose headers were read
    unreadable: tuple[str, ...]  # candidates whose headers say nothing: they stand for pictures that no recipe makes

    @property
    def is_exact(self) -> bool:
        """Whether every header was read, so that the numbers of the strata are counted and not estimated."""
        return self.candidates == self.all_pictures


def drawn(strata: Strata, size: int, look: Callable[[Sequence[Job]], dict[str, Traits]]) -> Sample:
    """About `size` pictures of all that `strata` has taken. `look` reads headers, and gives the traits by source of all
    but the broken ones. Pictures that the `only` of their source leaves out stand for others that it leaves out.

    Every stratum has one at the least, so that it may be a few more.
    """
    weighted = strata.weighted(size * CANDIDATES)
    traits = look([job for job, _ in weighted])
    candidates = [
        Candidate(job.source, job.stat.size, stands_for, traits[job.source])
        for job, stands_for in weighted
        if job.source in traits and not traits[job.source].outside
    ]
    by_stratum = _sorted_into(candidates)
    numbers = {name: sum(candidate.stands_for for candidate in some) for name, some in by_stratum.items()}
    shares = _shares(numbers, {name: len(some) for name, some in by_stratum.items()}, size)
    pictures: list[Picked] = []
    strata_: list[Stratum] = []
    for name, some in by_stratum.items():
        chosen = _chosen(some, shares[name])
        weight = numbers[name] / len(chosen)
        pictures += [Picked(candidate.source, name, candidate.bytes, weight, candidate.traits) for candidate in chosen]
        strata_.append(Stratum(name, weight * len(chosen), len(chosen)))
    unreadable = sorted((job.source for job, _ in weighted if job.source not in traits), key=os.fsencode)
    return Sample(tuple(pictures), tuple(strata_), strata.pictures, len(weighted), tuple(unreadable))


def _sorted_into(candidates: Iterable[Candidate]) -> dict[str, list[Candidate]]:
    """The candidates by stratum, in the order of `WORDS`, without empty ones."""
    strata: defaultdict[str, list[Candidate]] = defaultdict(list)
    rest: list[Candidate] = []
    for candidate in candidates:
        traits = candidate.traits
        facts = {
            "animated": traits.animated,
            "CMYK": traits.cmyk,
            "transparent": traits.transparent,
            "rotated": traits.rotated,
        }
        name = next((name for name, holds in facts.items() if holds), None)
        (strata[name] if name else rest).append(candidate)
    tenth = round(len(rest) * _TENTH)
    by_size = sorted(rest, key=lambda candidate: (candidate.pixels, _tie(candidate.source)))
    if tenth:
        strata["small"], strata["largest"] = by_size[:tenth], by_size[-tenth:]
        by_size = by_size[tenth:-tenth]
    noisy = sorted(
        (candidate for candidate in by_size if candidate.noise),
        key=lambda candidate: (-candidate.noise, _tie(candidate.source)),
    )[:tenth]
    strata["noisy"] = noisy
    beside = {candidate.source for candidate in noisy}
    strata["other"] = [candidate for candidate in by_size if candidate.source not in beside]
    return {name: strata[name] for name in WORDS if strata[name]}


def _shares(numbers: dict[str, float], there: dict[str, int], size: int) -> dict[str, int]:
    """How many of each stratum are chosen, of so many candidates: one at the least."""
    total = sum(numbers.values())
    equal = size * _EQUALLY / max(1, len(numbers))
    wanted = {name: equal + size * (1 - _EQUALLY) * number / total for name, number in numbers.items()}
    shares = dict.fromkeys(numbers, 1)
    for _ in range(min(size, sum(there.values())) - len(shares)):
        open_ = [name for name in shares if shares[name] < there[name]]
        shares[max(open_, key=lambda name: wanted[name] - shares[name])] += 1
    return shares


def _chosen(some: Sequence[Candidate], number: int) -> list[Candidate]:
    """The first by hash, as good as by chance; sorted by name."""
    return sorted(
        sorted(some, key=lambda candidate: _hash(candidate.source))[:number],
        key=lambda candidate: os.fsencode(candidate.source),
    )


def _hash(source: str, purpose: bytes = b"") -> bytes:
    return hashlib.blake2b(os.fsencode(source), digest_size=8, person=purpose).digest()


def _tie(source: str) -> bytes:
    """Decides between pictures of one size. By the hash of `_chosen`, those beside them would all be chosen first."""
    return _hash(source, b"tie")
