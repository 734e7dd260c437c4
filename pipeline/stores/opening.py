"""The `Store` of a place."""

from __future__ import annotations

import threading
from collections.abc import Callable

from pipeline.config.settings import SERVICES, StoreSettings
from pipeline.stores.store import Store, StoreFailure


def store_at(settings: StoreSettings) -> Store:
    """The store at the place of `settings`. Nothing is asked of it yet. Raises `StoreFailure`."""
    if settings.scheme in SERVICES:
        from pipeline.stores.cloud import CloudStore  # noqa: PLC0415 - obstore: 40 ms that other runs do not need

        return CloudStore(settings)
    from pipeline.stores.filesystems import FileStore  # noqa: PLC0415 - fsspec, as well

    return FileStore(settings)


class OnDemand:
    """The store at a place, opened when it is first asked for. Thread-safe."""

    def __init__(self, settings: StoreSettings, trouble: Callable[[StoreFailure], Exception]) -> None:
        """`trouble` makes the error that is raised where it cannot be opened."""
        self._settings = settings
        self._trouble = trouble
        self._lock = threading.Lock()
        self._opened: Store | None = None

    @property
    def store(self) -> Store:
        """The store. Raises as said."""
        with self._lock:
            if self._opened is None:
                try:
                    self._opened = store_at(self._settings)
                except StoreFailure as failure:
                    raise self._trouble(failure) from None
            return self._opened
