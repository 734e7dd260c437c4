"""Predicts how long planned work takes and how much it writes, from the measurements of earlier runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.config.settings import Config
from pipeline.manifest.others import at_hand
from pipeline.manifest.runs import Experience, RunSummary, Spent
from pipeline.manifest.store import Manifest
from pipeline.model.job import Job
from pipeline.run.options import RunOptions, workers
from pipeline.sources.magic import extension

_START = 0.4  # seconds until the first picture is in work: children start, import and warm up
_LEAST_PICTURES = 0.8  # of a run's pictures must still be as it made them, else its time is no basis
_RUNS = 5  # the last ones that count
_LOOKED_AT = 100  # runs, for those
_FORMATS = {"jpg": "jpeg", "jpe": "jpeg", "jfif": "jpeg", "mpo": "jpeg", "tif": "tiff", "apng": "png", "dib": "bmp"}


@dataclass(frozen=True, slots=True)
class Prediction:
    """A prediction."""

    seconds: float  # by the clock
    bytes: int  # of targets
    pictures: int  # that it is based on


def predicted(config: Config, forecast: Forecast) -> Prediction | None:
    """The prediction for the jobs in `forecast`; None without a usable earlier run. Raises `ManifestTrouble`."""
    path = at_hand(config)
    if path is None:
        return None
    with Manifest.reader_at(path, shared=config.shared) as reader:
        chosen = workers(config, RunOptions())
        return forecast.prediction(reader.experience(), reader.runs(_LOOKED_AT), chosen.processes or chosen.threads)


class Forecast:
    """Takes the jobs of a plan one by one, and keeps sums only."""

    def __init__(self) -> None:
        self._bytes: Counter[str] = Counter()  # of sources, by format
        self._renditions: Counter[tuple[str, str, str]] = Counter()  # by name, their format, the source's

    def add(self, job: Job) -> None:
        """Add one job."""
        kind = _format(extension(job.source))
        self._bytes[kind] += job.stat.size
        for planned in job.planned:
            self._renditions[planned.spec.name, planned.spec.format.value, kind] += 1

    def prediction(self, known: Experience, runs: Iterable[RunSummary], workers: int) -> Prediction | None:
        """The prediction for the jobs so far; None without a usable earlier run.

        `runs` are newest first. `workers`: how many pictures are rendered at once, used if no run has measured a rate.
        """
        if not known.pictures or not self._renditions:
            return None
        seconds = sum(_rate(_of_source(known, kind)) * size for kind, size in self._bytes.items())
        written = 0.0
        for wanted, count in self._renditions.items():
            like = _like(known, *wanted)
            seconds += count * like.seconds / like.count
            written += count * like.bytes / like.count
        at_once = _at_once(known, runs) or workers
        return Prediction(_START + seconds / at_once, round(written), known.pictures)


def _like(known: Experience, name: str, made: str, source: str) -> Spent:
    """The cost of such a rendition, by its own kind or the nearest known one."""
    tests = (
        lambda key: (key[0], _format(key[2])) == (name, source),
        lambda key: (key[1], _format(key[2])) == (made, source),
        lambda key: key[1] == made,
        lambda _: True,
    )
    for test in tests:
        costs = [spent for key, spent in known.renditions.items() if test(key)]
        if costs:
            return _sum(costs)
    return Spent(1, 0, 0.0)


def _at_once(known: Experience, runs: Iterable[RunSummary]) -> float | None:
    """Seconds of work per second by the clock, in the last runs where that is known."""
    work = clock = 0.0
    counted = 0
    for run in runs:
        stages = known.runs.get(run.id)
        done = run.made
        if stages is None or run.ended is None or not done or stages.pictures < _LEAST_PICTURES * done:
            continue
        work += stages.seconds
        clock += max(run.ended - run.started - _START, 0.02 * (run.ended - run.started), 1e-3)
        counted += 1
        if counted == _RUNS:
            break
    return work / clock if work and clock else None


def _of_source(known: Experience, kind: str) -> Spent:
    """The cost of reading and decoding such sources, or of all sources if there were none."""
    of_kind = [spent for key, spent in known.sources.items() if _format(key) == kind]
    return _sum(of_kind or known.sources.values())


def _sum(spent: Iterable[Spent]) -> Spent:
    listed = list(spent)
    return Spent(
        sum(cost.count for cost in listed), sum(cost.bytes for cost in listed), sum(cost.seconds for cost in listed)
    )


def _rate(spent: Spent) -> float:
    """Seconds a byte."""
    return spent.seconds / max(1, spent.bytes)


def _format(name: str) -> str:
    """The name of an extension's format in headers."""
    return _FORMATS.get(name, name)
