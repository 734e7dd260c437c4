"""Looks up what was made of equal content, in a process that does not write the manifest: a lane."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from pipeline.manifest import made, opening
from pipeline.manifest.database import Database
from pipeline.model.record import Record


class ContentReader:
    """Reads the manifest of a run that another process drives. Any thread may call any method.

    All methods raise `ManifestTrouble`.
    """

    def __init__(self, path: Path) -> None:
        connection = opening.open_read_only(path)
        self._database = Database(path, connection)
        with self._database.reading():
            self._seen = made.Seen(connection)  # of a first run: nothing was made before

    def made(self, content: bytes, recipes: Collection[str]) -> list[Record]:
        """As `Manifest.made`, of what earlier runs have recorded; of this run only where there were earlier ones."""
        if content not in self._seen:
            return []
        with self._database.reading() as connection:
            return made.of_content(connection, content, recipes)

    def close(self) -> None:
        """Close the database."""
        self._database.close()
