"""Orphans as the manifest remembers them: files of ours that nothing asks for, and which run was the first to see that.

An orphan may be deleted once a run that came to its end has seen it; `run` holds that run's number.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable

from pipeline.manifest.claims import FILES, ClaimedFile, claimed_file, fold
from pipeline.manifest.database import Part
from pipeline.manifest.values import to_bytes, to_name

_STALE = f"{FILES} WHERE c.sha256 IS NOT NULL AND NOT current ORDER BY c.path"
_ONE = f"{FILES} WHERE c.fold = ? AND c.path = ?"
_CONTENT = "SELECT COALESCE(content, sha256) FROM source WHERE path = ?"
_WITH_CONTENT = "SELECT path FROM source WHERE COALESCE(content, sha256) = ? AND status IN ('done', 'kept')"
_REFUSED = "prune refused"  # in `about`: why, while nothing is pruned
_NONE_STALE = "none stale"  # in `about`, while it is known of all claims


def changing(connection: sqlite3.Connection) -> None:
    """To be called in each transaction that changes claims or records: what was known of all claims is open again."""
    connection.execute("DELETE FROM about WHERE key = ?", (_NONE_STALE,))


class Orphans(Part):
    """What a manifest knows of files that may go."""

    def stale(self) -> list[ClaimedFile]:
        """Claimed files that no remembered rendition speaks of any more: left by another name template, say.

        Looks at every claim, 0.7 microseconds each, unless nothing has changed since that was in vain.
        """
        with self._writing() as connection:
            if connection.execute("SELECT 1 FROM about WHERE key = ?", (_NONE_STALE,)).fetchone():
                return []
            found = [claimed_file(row) for row in connection.execute(_STALE)]
            if not found and self._may_write:
                connection.execute("INSERT INTO about VALUES (?, x'31')", (_NONE_STALE,))
            return found

    def claims(self, targets: Iterable[str]) -> list[ClaimedFile]:
        """What is known of these paths, without those that are not claimed."""
        with self._reading() as connection:
            found = (connection.execute(_ONE, (fold(one), to_bytes(one))).fetchone() for one in targets)
            return [claimed_file(row) for row in found if row is not None]

    def files(self) -> int:
        """How many files this manifest says it made."""
        with self._reading() as connection:
            (count,) = connection.execute("SELECT COUNT(*) FROM claim WHERE sha256 IS NOT NULL").fetchone()
            return int(count)

    def seen(self) -> set[str]:
        """Those that were orphans already in a run that has come to its end, and in every run since."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT path FROM orphan WHERE run NOT IN (SELECT id FROM run WHERE ended IS NULL)"
            )
            return {to_name(path) for (path,) in rows}

    def living(self, sources: Iterable[str], gone: Collection[str]) -> set[str]:
        """Those of `sources` whose content some source has that was rendered and is not among those that are `gone`."""
        lives: dict[bytes, bool] = {}
        found = set()
        with self._reading() as connection:
            for source in sources:
                content = connection.execute(_CONTENT, (to_bytes(source),)).fetchone()
                if content is None or content[0] is None:
                    continue
                if content[0] not in lives:
                    others = connection.execute(_WITH_CONTENT, content)
                    lives[content[0]] = any(to_name(path) not in gone for (path,) in others)
                if lives[content[0]]:
                    found.add(source)
        return found

    def refused(self, why: str) -> bool:
        """Remember why nothing was pruned, in a word, or "" when nothing spoke against it. Whether `why` is news."""
        with self._writing() as connection:
            before = connection.execute("SELECT value FROM about WHERE key = ?", (_REFUSED,)).fetchone()
            if (before[0] if before else b"") == why.encode():
                return False
            connection.execute("DELETE FROM about WHERE key = ?", (_REFUSED,))
            if why:
                connection.execute("INSERT INTO about VALUES (?, ?)", (_REFUSED, why.encode()))
            return bool(why)

    def note(self, targets: Iterable[str], run: int) -> None:
        """`targets` are all the orphans that there are, as run number `run` has found."""
        now = {to_bytes(target) for target in targets}
        with self._writing() as connection:
            known = {path for (path,) in connection.execute("SELECT path FROM orphan")}
            connection.executemany("DELETE FROM orphan WHERE path = ?", ((path,) for path in sorted(known - now)))
            connection.executemany("INSERT INTO orphan VALUES (?, ?)", ((path, run) for path in sorted(now - known)))

    def forget(self, targets: Iterable[str]) -> None:
        """These are no orphans any more."""
        with self._writing() as connection:
            connection.executemany("DELETE FROM orphan WHERE path = ?", ((to_bytes(path),) for path in targets))

    def folders(self) -> set[str]:
        """The folders of the target that runs have made."""
        with self._reading() as connection:
            return {to_name(path) for (path,) in connection.execute("SELECT path FROM folder")}

    def add_folders(self, made: Iterable[str]) -> None:
        """Remember folders that were made."""
        with self._writing() as connection:
            connection.executemany("INSERT OR IGNORE INTO folder VALUES (?)", ((to_bytes(path),) for path in made))

    def forget_folders(self, gone: Iterable[str]) -> None:
        """Forget folders that are not there any more."""
        with self._writing() as connection:
            connection.executemany("DELETE FROM folder WHERE path = ?", ((to_bytes(path),) for path in gone))
