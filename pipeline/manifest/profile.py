"""Where the time went, from the columns that each run measures: of one run, and as experience for the next one.

The seconds are those of threads and children added up, not of the clock: several pictures are at work at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.manifest.database import translated
from pipeline.manifest.reader import Reader
from pipeline.manifest.runs import RunSummary

_SOURCES = (
    "SELECT {key}, COUNT(*), SUM(size), SUM(seconds_read), SUM(seconds_decode) FROM source WHERE status = 'done' "
)
_RENDITIONS = (
    "SELECT {key}, COUNT(*), SUM(r.size), SUM(r.seconds_resize), SUM(r.seconds_encode), SUM(r.seconds_write) "
    "FROM rendition r JOIN source s ON s.id = r.source WHERE r.status IN ('done', 'kept') AND s.status = 'done' "
)


@dataclass(frozen=True, slots=True)
class Stages:
    """What the pictures took that one run rendered, as far as no later run has rendered them again."""

    pictures: int = 0
    source_bytes: int = 0
    renditions: int = 0
    target_bytes: int = 0
    read: float = 0.0  # seconds, as are the others
    decode: float = 0.0
    resize: float = 0.0
    encode: float = 0.0
    write: float = 0.0

    @property
    def seconds(self) -> float:
        """All of them."""
        return self.read + self.decode + self.resize + self.encode + self.write

    def shares(self) -> dict[str, float]:
        """Seconds by stage, in the order of the line."""
        return {stage: getattr(self, stage) for stage in ("read", "decode", "resize", "encode", "write")}


@dataclass(frozen=True, slots=True)
class Spent:
    """What so many pictures or renditions have taken."""

    count: int
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Experience:
    """What all remembered pictures have taken, by what they are. Formats are those of the sources' headers."""

    pictures: int
    sources: Mapping[str, Spent]  # by format: reading and decoding, with the sources' bytes
    renditions: Mapping[tuple[str, str, str], Spent]  # by name, their format, the source's: the rest, with their bytes
    runs: Mapping[int, Stages]  # by the run's number


def of_runs(reader: Reader) -> dict[int, Stages]:
    """Stages by the run's number. Reads every row once."""
    with translated(reader.path):
        sources = reader.connection.execute(_SOURCES.format(key="run") + "GROUP BY run").fetchall()
        renditions = reader.connection.execute(_RENDITIONS.format(key="r.run") + "GROUP BY r.run").fetchall()
    found = {row[0]: Stages(row[1], row[2] or 0, read=row[3] or 0.0, decode=row[4] or 0.0) for row in sources}
    for run, count, size, resize, encode, write in renditions:
        before = found.get(run, Stages())
        found[run] = Stages(
            before.pictures, before.source_bytes, count, size or 0, before.read, before.decode, resize, encode, write
        )
    return {run: stages for run, stages in found.items() if run is not None}


def experience(reader: Reader) -> Experience:
    """What there is to judge by. Reads every row twice."""
    with translated(reader.path):
        sources = reader.connection.execute(_SOURCES.format(key="format") + "GROUP BY format").fetchall()
        renditions = reader.connection.execute(
            _RENDITIONS.format(key="r.name, r.format, s.format") + "GROUP BY r.name, r.format, s.format"
        ).fetchall()
    return Experience(
        sum(row[1] for row in sources),
        {row[0] or "": Spent(row[1], row[2] or 0, (row[3] or 0.0) + (row[4] or 0.0)) for row in sources},
        {(row[0], row[1] or "", row[2] or ""): Spent(row[3], row[4] or 0, sum(row[5:8])) for row in renditions},
        of_runs(reader),
    )


def last_rendering(reader: Reader, runs: tuple[RunSummary, ...]) -> tuple[RunSummary, Stages] | None:
    """The newest of `runs`, which are newest first, that rendered anything that is still as it made it."""
    stages = of_runs(reader)
    return next(((run, stages[run.id]) for run in runs if run.id in stages), None)
