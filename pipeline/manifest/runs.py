"""The table of runs: who ran, when, with what, and how it ended. A run without an end died."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.errors import printable

KEEP = 1000  # runs; three years of nights


@dataclass(frozen=True, slots=True)
class RunStart:
    """What is known when a run begins. `run` is unique (a UUID's hex); `started` in seconds since 1970."""

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
    """One remembered run. `ended` and `status` are None while it runs and for ever if it died; the lock knows which."""

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
    settings: Mapping[str, object]
    libraries: str


def begin(connection: sqlite3.Connection, run: RunStart, keep: int = KEEP) -> int:
    """Enter a run and forget all but the last `keep`, inside a transaction of the caller; gives the run's number."""
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
    """Enter more settings of run `number`, known only since it began; inside a transaction of the caller."""
    (known,) = connection.execute("SELECT settings FROM run WHERE id = ?", (number,)).fetchone()
    merged = json.dumps({**json.loads(known), **settings}, sort_keys=True)
    connection.execute("UPDATE run SET settings = ? WHERE id = ?", (merged, number))


def end(connection: sqlite3.Connection, number: int, status: int, counts: Mapping[str, int], ended: float) -> None:
    """Enter how run `number` ended, inside a transaction of the caller."""
    connection.execute(
        "UPDATE run SET ended = ?, status = ?, counts = ? WHERE id = ?",
        (ended, int(status), json.dumps(dict(counts), sort_keys=True), number),
    )


def latest(connection: sqlite3.Connection, limit: int) -> tuple[RunSummary, ...]:
    """The last `limit` runs, newest first."""
    rows = connection.execute(
        "SELECT id, run, config, argv, pid, host, started, ended, status, counts, settings, libraries "
        "FROM run ORDER BY id DESC LIMIT ?",
        (limit,),
    )
    return tuple(
        RunSummary(
            id=row[0],
            run=row[1],
            config=row[2],
            argv=tuple(json.loads(row[3])),
            pid=row[4],
            host=row[5],
            started=row[6],
            ended=row[7],
            status=row[8],
            counts=json.loads(row[9]),
            settings=json.loads(row[10]),
            libraries=row[11],
        )
        for row in rows
    )


def pace(connection: sqlite3.Connection) -> float | None:
    """Seconds a byte of source, from the stages of the last thousand pictures; None where nothing was rendered."""
    seconds, size = connection.execute(
        "SELECT TOTAL(s.seconds_read + s.seconds_decode + (SELECT TOTAL(r.seconds_resize + r.seconds_encode + "
        "r.seconds_write) FROM rendition r WHERE r.source = s.id)), TOTAL(s.size) "
        "FROM (SELECT * FROM source WHERE status = 'done' ORDER BY id DESC LIMIT 1000) s"
    ).fetchone()
    return seconds / size if size else None
