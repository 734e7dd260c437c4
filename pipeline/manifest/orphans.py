"""Orphans in the manifest: files of this config that nothing asks for, with the first run that noted each.

An orphan may be deleted once a run that has ended has noted it; the column `run` holds that run's number.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable

from pipeline.manifest.claims import FILES, ClaimedFile, claimed_file, fold
from pipeline.manifest.database import Part
from pipeline.manifest.values import to_bytes, to_name
from pipeline.model.record import MADE_WORDS

_STALE = f"{FILES} WHERE c.sha256 IS NOT NULL AND NOT current ORDER BY c.path"
_ONE = f"{FILES} WHERE c.fold = ? AND c.path = ?"
_CONTENT = "SELECT COALESCE(content, sha256) FROM source WHERE path = ?"
_WITH_CONTENT = f"SELECT path FROM source WHERE COALESCE(content, sha256) = ? AND status IN {MADE_WORDS}"  # noqa: S608
GONE = f"""(
    SELECT s.id FROM source s JOIN rendition r ON r.source = s.id
    WHERE EXISTS (SELECT 1 FROM orphan)
    AND s.status NOT IN ('unsupported', 'skipped', 'filtered') AND s.path NOT IN (SELECT source FROM failure)
    GROUP BY s.id HAVING SUM(r.target IN (SELECT path FROM orphan))
    AND NOT SUM(r.status IN {MADE_WORDS} AND r.target NOT IN (SELECT path FROM orphan))
)"""  # noqa: S608 - words from `model.record`
"""A query for the ids of remembered sources that are gone: of all that was made of them, orphans are left."""

_REFUSED = "prune refused"  # in `about`: the reason, while nothing is pruned
_NONE_STALE = "none stale"  # in `about`, while no claim is stale


def changing(connection: sqlite3.Connection) -> None:
    """Forget that no claim is stale. Called in each transaction that changes claims or records."""
    connection.execute("DELETE FROM about WHERE key = ?", (_NONE_STALE,))


class Orphans(Part):
    """What a manifest remembers of files that may be removed."""

    def stale(self) -> list[ClaimedFile]:
        """Claimed files that are the target of no remembered rendition: left by another name template, say.

        Reads every claim, 0.7 microseconds each, unless the last call found none and nothing has changed since.
        """
        with self._writing() as connection:
            if connection.execute("SELECT 1 FROM about WHERE key = ?", (_NONE_STALE,)).fetchone():
                return []
            stale = [claimed_file(row) for row in connection.execute(_STALE)]
            if not stale and self._may_write:
                connection.execute("INSERT INTO about VALUES (?, x'31')", (_NONE_STALE,))
            return stale

    def claims(self, targets: Iterable[str]) -> list[ClaimedFile]:
        """The claimed files among `targets`."""
        with self._reading() as connection:
            rows = (connection.execute(_ONE, (fold(target), to_bytes(target))).fetchone() for target in targets)
            return [claimed_file(row) for row in rows if row is not None]

    def files(self) -> int:
        """The number of files that were made."""
        with self._reading() as connection:
            (count,) = connection.execute("SELECT COUNT(*) FROM claim WHERE sha256 IS NOT NULL").fetchone()
            return int(count)

    def noted(self) -> int:
        """The number of orphans that the last complete run has left."""
        with self._reading() as connection:
            (count,) = connection.execute("SELECT COUNT(*) FROM orphan").fetchone()
            return int(count)

    def seen(self) -> set[str]:
        """The paths that were orphans in a run that has ended, and in every run since."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT path FROM orphan WHERE run NOT IN (SELECT id FROM run WHERE ended IS NULL)"
            )
            return {to_name(path) for (path,) in rows}

    def living(self, sources: Iterable[str], gone: Collection[str]) -> set[str]:
        """Those of `sources` whose content another rendered source has, which is not among those that are `gone`."""
        lives: dict[bytes, bool] = {}
        living = set()
        with self._reading() as connection:
            for source in sources:
                content = connection.execute(_CONTENT, (to_bytes(source),)).fetchone()
                if content is None or content[0] is None:
                    continue
                if content[0] not in lives:
                    others = connection.execute(_WITH_CONTENT, content)
                    lives[content[0]] = any(to_name(path) not in gone for (path,) in others)
                if lives[content[0]]:
                    living.add(source)
        return living

    def refused(self, why: str) -> bool:
        """Remember why nothing was pruned, in a word; "" where nothing was against it. Returns whether `why` is new."""
        with self._writing() as connection:
            before = connection.execute("SELECT value FROM about WHERE key = ?", (_REFUSED,)).fetchone()
            if (before[0] if before else b"") == why.encode():
                return False
            connection.execute("DELETE FROM about WHERE key = ?", (_REFUSED,))
            if why:
                connection.execute("INSERT INTO about VALUES (?, ?)", (_REFUSED, why.encode()))
            return bool(why)

    def note(self, targets: Iterable[str], run: int) -> None:
        """Remember that `targets` are all the orphans that run number `run` has found."""
        now = {to_bytes(target) for target in targets}
        with self._writing() as connection:
            before = {path for (path,) in connection.execute("SELECT path FROM orphan")}
            connection.executemany("DELETE FROM orphan WHERE path = ?", ((path,) for path in sorted(before - now)))
            connection.executemany("INSERT INTO orphan VALUES (?, ?)", ((path, run) for path in sorted(now - before)))

    def forget(self, targets: Iterable[str]) -> None:
        """Remove `targets` from the orphans."""
        with self._writing() as connection:
            connection.executemany("DELETE FROM orphan WHERE path = ?", ((to_bytes(path),) for path in targets))

    def folders(self) -> set[str]:
        """The folders of the target that runs have made."""
        with self._reading() as connection:
            return {to_name(path) for (path,) in connection.execute("SELECT path FROM folder")}

    def add_folders(self, made: Iterable[str]) -> None:
        """Remember folders of the target that a run has made."""
        with self._writing() as connection:
            connection.executemany("INSERT OR IGNORE INTO folder VALUES (?)", ((to_bytes(path),) for path in made))

    def forget_folders(self, gone: Iterable[str]) -> None:
        """Forget folders that were removed."""
        with self._writing() as connection:
            connection.executemany("DELETE FROM folder WHERE path = ?", ((to_bytes(path),) for path in gone))
