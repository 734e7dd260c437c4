"""Which shards of a round have ended. The parts that tell it are gone when they are merged, so the manifest keeps it.

A round is one run of each shard of a number. It ends when all have ended with status 0 or 1, when another number of
shards runs, when a shard that had ended so runs again, or when a run without a shard does all the work.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ExitStatus, ManifestTrouble
from pipeline.manifest import parts
from pipeline.manifest.database import translated
from pipeline.manifest.place import is_there
from pipeline.manifest.reader import Reader

_KEY = "shards"  # in `about`
_ENDED = (ExitStatus.OK, ExitStatus.FAILED)


@dataclass(frozen=True, slots=True)
class Round:
    """Shards by number, with the status of their last run: None for one that died, or died before it had begun."""

    count: int
    statuses: Mapping[int, int | None]

    def without(self, numbers: Collection[int]) -> Round:
        """The same round as far as it is known without these shards."""
        return Round(self.count, {number: how for number, how in self.statuses.items() if number not in numbers})

    def unfinished(self) -> dict[int, str]:
        """The shards that have not ended with 0 or 1, by number, and what is known of each."""
        missing = {number: "has not run" for number in range(1, self.count + 1) if number not in self.statuses}
        for number, status in self.statuses.items():
            if status not in _ENDED:
                missing[number] = "died" if status is None else f"did not finish (status {status})"
        return dict(sorted(missing.items()))


def now(manifest: Path) -> Round | None:
    """The round of the parts beside the manifest and of those merged before; None where no shard has run since a run
    without one. A shard at work counts as if it had ended well.
    """
    merged, waiting = _merged(manifest), parts.states(manifest)
    if not waiting:
        return merged
    count = parts.number_and_count(parts.parts(manifest)[0])[1]
    ran: dict[int, int | None] = {}
    idle: set[int] = set()
    for state in waiting:
        number = int(state.shard.partition("/")[0])
        if state.at_work:
            ran[number] = int(ExitStatus.OK)
        elif state.run is None:
            idle.add(number)
        else:
            ran[number] = state.run.status
    return _together(merged, count, ran, idle)


def keep(connection: sqlite3.Connection, current: Round) -> None:
    """Enter the round, after parts were merged. Inside a transaction of the caller."""
    (last,) = connection.execute("SELECT COALESCE(MAX(id), 0) FROM run").fetchone()
    value = json.dumps({"count": current.count, "statuses": dict(current.statuses), "run": last}, sort_keys=True)
    connection.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (_KEY, value.encode()))


def _merged(manifest: Path) -> Round | None:
    if not is_there(manifest):
        return None
    with contextlib.suppress(ManifestTrouble), Reader(manifest) as reader, translated(manifest):
        row = reader.connection.execute("SELECT value FROM about WHERE key = ?", (_KEY,)).fetchone()
        if row is None:
            return None
        kept = json.loads(row[0])
        if reader.connection.execute("SELECT 1 FROM run WHERE id > ?", (kept["run"],)).fetchone():
            return None  # a run without a shard
        return Round(kept["count"], {int(number): status for number, status in kept["statuses"].items()})
    return None


def _together(merged: Round | None, count: int, ran: Mapping[int, int | None], idle: set[int]) -> Round:
    """The round after these shards `ran`; the parts of others, `idle`, hold no run that the manifest does not know."""
    before: Mapping[int, int | None] = {}
    if merged is not None and merged.count == count:
        over = ran and (not merged.unfinished() or any(merged.statuses.get(number) in _ENDED for number in ran))
        before = {} if over else merged.statuses
    return Round(count, dict.fromkeys(idle) | dict(before) | dict(ran))
