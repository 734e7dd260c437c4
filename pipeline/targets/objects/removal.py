"""Removing objects that were made: only where they are still as they were made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from pipeline.config.settings import StoreSettings
from pipeline.errors import TargetTrouble
from pipeline.manifest.claims import ClaimedFile
from pipeline.stores.opening import store_at
from pipeline.stores.store import Entry, StoreFailure


class ObjectRemoval:
    """Removes objects of a target in object storage; a `Removal`."""

    def __init__(self, place: StoreSettings, before_removals: Callable[[], None] = lambda: None) -> None:
        """`before_removals` is called right before each removal, and may raise `TargetTrouble`."""
        self._place = place
        self._before_removals = before_removals
        try:
            self._store = store_at(place)
        except StoreFailure as failure:
            raise self._trouble(failure) from None

    def obstacle(self, file: ClaimedFile) -> str | None:
        """See `Removal`. Equal size and ETag are equal content; where there are no ETags, the content is read."""
        if any(part in ("", ".", "..") for part in file.target.split("/")):
            return "its path leads out of the target"
        entry = self._look(file.target)
        if entry is None:
            return None
        if file.sha256 is None:
            return "it is not known whether it was finished"
        if (entry.size, entry.version) != (file.size, file.mtime_ns):
            return "it was changed since it was made"
        if entry.etag is None and self._hash(file.target) != file.sha256:
            return "its content was changed since it was made"
        return ""

    def remove(self, file: ClaimedFile) -> str | None:
        """See `Removal`."""
        obstacle = self.obstacle(file)
        if obstacle != "":
            return obstacle
        self._before_removals()
        try:
            self._store.remove(file.target)
        except StoreFailure as failure:
            return f"it cannot be removed: the store {failure.text}"
        return ""

    def remove_folder(self, path: str) -> bool:  # noqa: ARG002 - see `Removal`
        """True: a store has no folders."""
        return True

    def sync(self) -> None:
        """Nothing: what a store has confirmed is so."""

    def identity(self, path: str) -> object | None:
        """Each name is an object of its own; see `Removal`."""
        return None if self._look(path) is None else path

    def _look(self, name: str) -> Entry | None:
        try:
            return self._store.look(name)
        except StoreFailure as failure:
            raise self._trouble(failure) from None

    def _hash(self, name: str) -> bytes:
        digest = hashlib.sha256()
        try:
            for piece in self._store.get(name).pieces:
                digest.update(piece)
        except StoreFailure as failure:
            raise self._trouble(failure) from None
        return digest.digest()

    def _trouble(self, failure: StoreFailure) -> TargetTrouble:
        return TargetTrouble(f"cannot write to the target {self._place.shown}: it {failure.text}")
