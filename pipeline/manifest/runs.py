"""The table of runs: what ran when, how it ended, and where the time went. A run without an end was killed.

The seconds of stages are those of threads and children added up, not of the clock: several pictures are in work at
once.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields

from pipeline.errors import printable
from pipeline.model.record import Status

KEEP = 1000  # runs; three years of nights

_SOURCES = (
    "SELECT {key}, COUNT(*), SUM(size), SUM(seconds_read), SUM(seconds_decode) FROM source WHERE status = 'done' "
)
_RENDITIONS = (
    "SELECT {key}, COUNT(*), SUM(r.size), SUM(r.seconds_resize), SUM(r.seconds_encode), SUM(r.seconds_write) "
    "FROM rendition r JOIN source s ON s.id = r.source WHERE r.status IN ('done', 'kept') AND s.status = 'done' "
)


@dataclass(frozen=True, slots=True)
class RunStart:
    """A run that begins. `run` is unique (a UUID's hex); `started` is in seconds since 1970."""

    run: str
    config: str
    argv: tuple[str, ...]
    pid: int
    host: str
    started: float
    settings: Mapping[str, object] = field(default_factory=dict)  # threads, processes, queue ...; must suit JSON
    libraries: str = ""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A remembered run. `ended` and `status` are None while it runs, and stay None if it is killed.

    The lock says which of these it is.
    """

    id: int
    run: str
    config: str
    argv: tuple[str, ...]
    pid: int
    host: str
    started: float
    ended: float | None
    status: int | None
    counts: Mapping[str, int]
    settings: Mapping[str, object]  # also `progress` while it runs, or as far as it came before it died
    libraries: str

    @property
    def made(self) -> int:
        """The pictures that it made, whole or with damage."""
        return self.counts.get(Status.DONE, 0) + self.counts.get(Status.DAMAGED, 0)


@dataclass(frozen=True, slots=True)
class Stages:
    """The time that one run spent on pictures which no later run has rendered again."""

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
        """The sum of all stages."""
        return self.read + self.decode + self.resize + self.encode + self.write

    def shares(self) -> dict[str, float]:
        """Seconds by stage, in the order of a picture's life."""
        return {stage: getattr(self, stage) for stage in ("read", "decode", "resize", "encode", "write")}


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds and bytes of a number of pictures or renditions."""

    count: int
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Experience:
    """What all remembered pictures have taken, by format. The formats of sources are those of their headers."""

    pictures: int
    sources: Mapping[str, Spent]  # by format: reading and decoding, with the sources' bytes
    renditions: Mapping[tuple[str, str, str], Spent]  # by name, their format, the source's: the rest, with their bytes
    runs: Mapping[int, Stages]  # by the run's number


def begin(connection: sqlite3.Connection, run: RunStart, keep: int = KEEP) -> int:
    """Enter a run, remove all but the last `keep`, and return its number. Inside a transaction of the caller."""
    cursor = connection.execute(
        "INSERT INTO run (run, config, argv, pid, host, started, settings, libraries) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            run.run,
            printable(run.config),
            json.dumps([printable(word) for word in run.argv], ensure_ascii=False),
            run.pid,
            printable(run.host),
            run.started,
            json.dumps(run.settings, sort_keys=True),
            run.libraries,
        ),
    )
    number = int(cursor.lastrowid or 0)
    connection.execute("DELETE FROM run WHERE id <= ?", (number - keep,))
    return number


def amend(connection: sqlite3.Connection, number: int, settings: Mapping[str, object]) -> None:
    """Add settings of run `number` that were not known when it began, inside a transaction of the caller."""
    (known,) = connection.execute("SELECT settings FROM run WHERE id = ?", (number,)).fetchone()
    merged = json.dumps({**json.loads(known), **settings}, sort_keys=True)
    connection.execute("UPDATE run SET settings = ? WHERE id = ?", (merged, number))


def end(connection: sqlite3.Connection, number: int, status: int, counts: Mapping[str, int], ended: float) -> None:
    """Enter how run `number` ended, inside a transaction of the caller."""
    connection.execute(
        "UPDATE run SET ended = ?, status = ?, counts = ?, settings = json_remove(settings, '$.progress') WHERE id = ?",
        (ended, int(status), json.dumps(dict(counts), sort_keys=True), number),
    )


def latest(connection: sqlite3.Connection, limit: int) -> tuple[RunSummary, ...]:
    """The last `limit` runs, newest first."""
    columns = [field.name for field in fields(RunSummary)]
    query = f"SELECT {', '.join(columns)} FROM run ORDER BY id DESC LIMIT ?"  # noqa: S608 - names of columns
    rows = [dict(zip(columns, row, strict=True)) for row in connection.execute(query, (limit,))]
    for row in rows:
        row |= {name: json.loads(row[name]) for name in ("argv", "counts", "settings")}
        row["argv"] = tuple(row["argv"])
    return tuple(RunSummary(**row) for row in rows)


def pace(connection: sqlite3.Connection) -> float | None:
    """Seconds for each byte of source, by the last thousand pictures; None where nothing was rendered."""
    seconds, size = connection.execute(
        "SELECT TOTAL(s.seconds_read + s.seconds_decode + (SELECT TOTAL(r.seconds_resize + r.seconds_encode + "
        "r.seconds_write) FROM rendition r WHERE r.source = s.id)), TOTAL(s.size) "
        "FROM (SELECT * FROM source WHERE status = 'done' ORDER BY id DESC LIMIT 1000) s"
    ).fetchone()
    return seconds / size if size else None


def stages(connection: sqlite3.Connection) -> dict[int, Stages]:
    """The stages of each run, by its number. Reads every row once."""
    sources = connection.execute(_SOURCES.format(key="run") + "GROUP BY run").fetchall()
    renditions = connection.execute(_RENDITIONS.format(key="r.run") + "GROUP BY r.run").fetchall()
    by_run = {row[0]: Stages(row[1], row[2] or 0, read=row[3] or 0.0, decode=row[4] or 0.0) for row in sources}
    for run, count, size, resize, encode, write in renditions:
        before = by_run.get(run, Stages())
        by_run[run] = Stages(
            before.pictures, before.source_bytes, count, size or 0, before.read, before.decode, resize, encode, write
        )
    return {run: spent for run, spent in by_run.items() if run is not None}


def experience(connection: sqlite3.Connection) -> Experience:
    """What all remembered pictures that were rendered have taken: what was reused says nothing of the next ones.

    Reads every row twice.
    """
    sources = connection.execute(_SOURCES.format(key="format") + "AND seconds_decode > 0 GROUP BY format").fetchall()
    renditions = connection.execute(
        _RENDITIONS.format(key="r.name, r.format, s.format")
        + "AND s.seconds_decode > 0 GROUP BY r.name, r.format, s.format"
    ).fetchall()
    return Experience(
        sum(row[1] for row in sources),
        {row[0] or "": Spent(row[1], row[2] or 0, (row[3] or 0.0) + (row[4] or 0.0)) for row in sources},
        {(row[0], row[1] or "", row[2] or ""): Spent(row[3], row[4] or 0, sum(row[5:8])) for row in renditions},
        stages(connection),
    )


def not_yet_made(runs: Iterable[RunSummary], recorded: int) -> int:
    """Sources that the last ended one of `runs` (the newest first) has left to the next, and that no run has dealt
    with. `recorded`: how many sources the manifest has. What an earlier run has made is not among them, even where the
    last one was to make it again; neither is what lies outside a last run that was about a part of the source.
    """
    counts: Mapping[str, int] = next((run.counts for run in runs if run.ended is not None), {})
    left = counts.get(Status.PENDING, 0) + counts.get(Status.DEFERRED, 0)
    listed = sum(counts.values()) - counts.get(Status.VANISHED, 0)
    return min(left, max(0, listed - recorded))


def last_rendering(runs: Iterable[RunSummary], stages_of: Mapping[int, Stages]) -> tuple[RunSummary, Stages] | None:
    """The first of `runs` that has rendered a picture which no later run has rendered again, with its stages."""
    return next(((run, stages_of[run.id]) for run in runs if run.id in stages_of), None)
