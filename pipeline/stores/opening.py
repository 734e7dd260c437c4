"""The `Store` of a place."""

from __future__ import annotations

from pipeline.config.settings import SERVICES, StoreSettings
from pipeline.stores.store import Store


def store_at(settings: StoreSettings) -> Store:
    """The store at the place of `settings`. Nothing is asked of it yet. Raises `StoreFailure`."""
    if settings.scheme in SERVICES:
        from pipeline.stores.cloud import CloudStore  # noqa: PLC0415 - obstore: 40 ms that other runs do not need

        return CloudStore(settings)
    from pipeline.stores.filesystems import FileStore  # noqa: PLC0415 - fsspec, as well

    return FileStore(settings)
