"""Tar shards in the manifest: which pictures are in which, and where their bytes are.

- `sample`: the shard that a picture was put into, for good.
- `build`: a tar file that was written for a shard. It is entered with its members before it gets its name, so for a
  moment there may be two of a shard; the stat of the file says which of them is there. `placed`: it has had its name.
- `member`: where a rendition is in a build.
- `due`: shards of which a record has changed. They are compared with their records and, if need be, written again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.manifest.database import Part
from pipeline.manifest.values import folder_of, to_bytes, to_name

Place = tuple[bytes, bytes]
"""A picture's folder and path: pictures come in this order."""

_FIRST: Place = (b"", b"")
_UNASSIGNED = (
    "SELECT s.folder, s.path FROM source s WHERE (s.folder, s.path) > (?, ?) AND s.status IN ('done', 'kept') "
    "AND NOT EXISTS (SELECT 1 FROM sample p WHERE p.source = s.path) "
    "AND EXISTS (SELECT 1 FROM rendition r WHERE r.source = s.id AND r.sha256 IS NOT NULL)"
)
_BEFORE = " AND (s.folder, s.path) < (?, ?)"
_DUE = "INSERT OR IGNORE INTO due SELECT shard FROM sample WHERE source = ?"
_LATER = (
    "EXISTS (SELECT 1 FROM sample p JOIN source s ON s.path = p.source "
    "WHERE p.shard = due.shard AND (s.folder, s.path) >= (?, ?))"
)


@dataclass(frozen=True, slots=True)
class Build:
    """A tar file that was written for a shard."""

    id: int
    shard: int
    size: int
    mtime_ns: int
    sha256: bytes
    content: bytes  # a hash of what it was made from
    placed: int


class Member(NamedTuple):
    """The bytes of a rendition in a build, from the offset `start`; time and hash are those of its record."""

    build: int
    start: int
    size: int
    mtime_ns: int
    sha256: bytes


def shard_name(number: int) -> str:
    """The file of a shard."""
    return f"{number:06}.tar"


def place_of(source: str) -> Place:
    """The place of a picture in the order of all."""
    return to_bytes(folder_of(source)), to_bytes(source)


def changed(connection: sqlite3.Connection, sources: Iterable[bytes]) -> None:
    """Note the shards of `sources`, whose records change in the caller's transaction, as due."""
    connection.executemany(_DUE, ((source,) for source in sources))


def forget(connection: sqlite3.Connection, source: bytes) -> None:
    """Take a source out of its shard, inside a transaction of the caller."""
    connection.execute(_DUE, (source,))
    connection.execute("DELETE FROM sample WHERE source = ?", (source,))


class Shards(Part):
    """What a manifest remembers of tar shards."""

    def builds(self) -> list[Build]:
        """All builds, by shard and age."""
        query = "SELECT id, shard, size, mtime_ns, sha256, content, placed FROM build ORDER BY shard, id"
        with self._reading() as connection:
            return [Build(*row) for row in connection.execute(query)]

    def members(self, targets: Sequence[str]) -> list[list[Member]]:
        """The members that hold each of `targets`, one for each build."""
        query = "SELECT build, start, size, mtime_ns, sha256 FROM member WHERE target = ?"
        with self._reading() as connection:
            execute = connection.execute
            return [[Member(*row) for row in execute(query, (to_bytes(target),))] for target in targets]

    def last(self) -> tuple[int, int]:
        """The number of the last shard, and of its pictures; (-1, 0) where there is none."""
        query = "SELECT shard, COUNT(*) FROM sample WHERE shard = (SELECT MAX(shard) FROM sample)"
        with self._reading() as connection:
            number, pictures = connection.execute(query).fetchone()
            return (-1, 0) if number is None else (number, pictures)

    def unassigned(self, after: Place | None, before: Place | None, most: int) -> list[Place]:
        """The first pictures between two others that are made and in no shard yet."""
        query, values = _UNASSIGNED, list(after or _FIRST)
        if before is not None:
            query, values = query + _BEFORE, [*values, *before]
        with self._reading() as connection:
            rows = connection.execute(f"{query} ORDER BY s.folder, s.path LIMIT ?", (*values, most))
            return [(folder, path) for folder, path in rows]

    def assign(self, shard: int, sources: Iterable[bytes]) -> None:
        """Put pictures into a shard, which becomes due."""
        with self._writing() as connection:
            connection.executemany("INSERT INTO sample VALUES (?, ?)", ((source, shard) for source in sources))
            connection.execute("INSERT OR IGNORE INTO due VALUES (?)", (shard,))

    def touch(self, targets: Iterable[str]) -> None:
        """Note the shards that hold renditions `targets` as due."""
        query = "INSERT OR IGNORE INTO due SELECT shard FROM member m JOIN build b ON b.id = m.build WHERE target = ?"
        with self._writing() as connection:
            connection.executemany(query, ((to_bytes(target),) for target in targets))

    def due(self, before: Place | None = None) -> list[int]:
        """The shards that are due; only those whose pictures all come `before`."""
        query = "SELECT shard FROM due" if before is None else f"SELECT shard FROM due WHERE NOT {_LATER}"  # noqa: S608
        with self._reading() as connection:
            return sorted(shard for (shard,) in connection.execute(query, before or ()))

    def rows(self, shard: int, fields: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """The records of the renditions in a shard, in the order of pictures and renditions.

        `fields`: SQL expressions by key, with s for the source, r for the rendition, l for its libraries and o for
        what a list of URLs says.
        """
        columns = ", ".join(fields.values())
        query = (
            f"SELECT {columns} FROM sample p JOIN source s ON s.path = p.source "  # noqa: S608
            "JOIN rendition r ON r.source = s.id LEFT JOIN library l ON l.id = r.library "
            "LEFT JOIN origin o ON o.source = s.id WHERE p.shard = ? ORDER BY s.folder, s.path, r.name"
        )
        with self._reading() as connection:  # for all at once: others need the manifest, too
            rows = connection.execute(query, (shard,)).fetchall()
        return (dict(zip(fields, row, strict=True)) for row in rows)

    def select(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query about anything in the manifest."""
        with self._reading() as connection:
            return connection.execute(query).fetchall()

    def begin(self, build: Build, members: Iterable[tuple[bytes, int, int, int, bytes]]) -> int:
        """Enter a build that will get its name, with its members (target, start, size, mtime_ns, sha256); its id."""
        values = (build.shard, build.size, build.mtime_ns, build.sha256, build.content)
        with self._writing() as connection:
            cursor = connection.execute(
                "INSERT INTO build (shard, size, mtime_ns, sha256, content, placed) VALUES (?, ?, ?, ?, ?, 0)", values
            )
            number = cursor.lastrowid or 0
            connection.executemany(
                "INSERT INTO member VALUES (?, ?, ?, ?, ?, ?)",
                ((target, number, *member) for target, *member in members),
            )
            return number

    def finish(self, build: int, shard: int, mtime_ns: int) -> None:
        """A build has its name: other builds of its shard are gone, and it is no longer due."""
        with self._writing() as connection:
            connection.execute("UPDATE build SET placed = 1, mtime_ns = ? WHERE id = ?", (mtime_ns, build))
            _drop(connection, "shard = ? AND id <> ?", (shard, build))
            connection.execute("DELETE FROM due WHERE shard = ?", (shard,))

    def withdraw(self, build: int) -> None:
        """A build never got its name."""
        with self._writing() as connection:
            _drop(connection, "id = ?", (build,))

    def end(self, shard: int) -> None:
        """Nothing is in the shard any more, and its file is gone."""
        with self._writing() as connection:
            _drop(connection, "shard = ?", (shard,))
            connection.execute("DELETE FROM due WHERE shard = ?", (shard,))

    def settle(self, build: Build, times: Iterable[tuple[bytes, int]]) -> None:
        """The build holds what the records say, which have these mtimes by target: its shard is no longer due."""
        with self._writing() as connection:
            connection.executemany(
                "UPDATE member SET mtime_ns = ? WHERE target = ? AND build = ?",
                ((mtime_ns, target, build.id) for target, mtime_ns in times),
            )
            connection.execute("DELETE FROM due WHERE shard = ?", (build.shard,))

    def lose(self, targets: Iterable[bytes]) -> None:
        """Forget members whose bytes are not theirs, so that the next run makes them again."""
        with self._writing() as connection:
            connection.executemany("DELETE FROM member WHERE target = ?", ((target,) for target in targets))

    def waiting(self) -> set[str]:
        """The targets that were made and are in no shard yet, or in one that is to be written again."""
        query = (
            "SELECT r.target FROM rendition r JOIN source s ON s.id = r.source WHERE r.sha256 IS NOT NULL "
            "AND (NOT EXISTS (SELECT 1 FROM member m WHERE m.target = r.target AND m.sha256 = r.sha256) "
            "OR EXISTS (SELECT 1 FROM sample p JOIN due d ON d.shard = p.shard WHERE p.source = s.path))"
        )
        with self._reading() as connection:
            return {to_name(target) for (target,) in connection.execute(query)}


def _drop(connection: sqlite3.Connection, which: str, values: tuple[object, ...]) -> None:
    connection.execute(f"DELETE FROM member WHERE build IN (SELECT id FROM build WHERE {which})", values)  # noqa: S608
    connection.execute(f"DELETE FROM build WHERE {which}", values)  # noqa: S608
