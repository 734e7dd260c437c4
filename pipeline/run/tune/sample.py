"""The sample that settings are measured on: the user's own pictures, in their proportions of kinds and sizes."""

from __future__ import annotations

import hashlib
import heapq
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pipeline.model.job import Job
from pipeline.model.record import Reason
from pipeline.sources.magic import extension

_TAIL = 4  # the last quarter of a trial's jobs is sorted, big ones first: no thread ends late with a big one
_WEIGHTY = 0.02  # a kind with this share of all bytes is in the sample, however few its pictures are


@dataclass(slots=True)
class _Stratum:
    """Pictures of one kind: their number, and the first ones by hash."""

    pictures: int = 0
    bytes: int = 0
    first: list[tuple[int, str, Job]] = field(default_factory=list)  # a heap of at most `most`, the largest on top


class Strata:
    """Takes all jobs and keeps a few of each kind, chosen by their names and the seed, not by their order."""

    def __init__(self, most: int, seed: int) -> None:
        """`most` pictures are kept of each kind."""
        self.pictures = 0
        self.bytes = 0
        self._most = most
        self.seed = seed
        self._salt = seed.to_bytes(8, "big", signed=True)
        self._strata: dict[tuple[str, int], _Stratum] = {}

    def add(self, job: Job) -> None:
        """Count one picture. A kind is an extension and a size, in steps of a factor of four."""
        kind = extension(job.source), job.stat.size.bit_length() // 2
        stratum = self._strata.setdefault(kind, _Stratum())
        stratum.pictures += 1
        stratum.bytes += job.stat.size
        self.pictures += 1
        self.bytes += job.stat.size
        digest = hashlib.blake2b(os.fsencode(job.source), key=self._salt, digest_size=8).digest()
        heapq.heappush(stratum.first, (-int.from_bytes(digest, "big"), job.source, job))
        if len(stratum.first) > self._most:
            heapq.heappop(stratum.first)

    def chosen(self, size: int) -> list[Job]:
        """About `size` jobs, each kind with its share of the pictures, by source."""
        jobs: list[Job] = []
        for stratum in self._strata.values():
            share = round(size * stratum.pictures / self.pictures)
            weighty = stratum.bytes >= _WEIGHTY * self.bytes
            ordered = sorted(stratum.first, reverse=True)
            jobs += [job for _, _, job in ordered[: max(share, 1 if weighty else 0)]]
        return sorted(jobs, key=lambda job: os.fsencode(job.source))

    def weighted(self, size: int) -> list[tuple[Job, float]]:
        """About `size` jobs by source, each with the number of pictures that it stands for: every kind with its share
        of the pictures, and with one at the least.
        """
        jobs: list[tuple[Job, float]] = []
        for stratum in self._strata.values():
            share = max(1, min(len(stratum.first), round(size * stratum.pictures / self.pictures)))
            chosen = sorted(stratum.first, reverse=True)[:share]
            jobs += [(job, stratum.pictures / share) for _, _, job in chosen]
        return sorted(jobs, key=lambda entry: os.fsencode(entry[0].source))


def repeated(jobs: Sequence[Job], count: int, seed: int) -> list[Job]:
    """`count` jobs in a shuffled order: each of `jobs` as often as any other, give or take one, with its own targets.

    All are forced, because a run would only copy renditions of the same content. A picture comes back after all
    others, because the line carries only one of the same content at a time.
    """
    order = sorted(jobs, key=lambda job: os.fsencode(job.source))
    random.Random(seed).shuffle(order)  # noqa: S311 - an order that is the same each time, no secret
    taken = [_turned(order[number % len(order)], number // len(order)) for number in range(count if order else 0)]
    tail = min(count // _TAIL, len(order) // 2)
    return taken[: count - tail] + sorted(taken[count - tail :], key=lambda job: -job.stat.size)


def _turned(job: Job, turn: int) -> Job:
    planned = (
        replace(rendition, target=f"{turn}/{rendition.target}", reason=Reason.FORCED, ours=False)
        for rendition in job.planned
    )
    return replace(job, planned=tuple(planned), known_sha256=None, refused=())
