"""The `Store` of a place."""

from __future__ import annotations

from pipeline.config.settings import StoreSettings
from pipeline.stores.store import Store


def store_at(settings: StoreSettings) -> Store:
    """The store at the place of `settings`. Nothing is asked of it yet. Raises `StoreFailure`."""
    from pipeline.stores.cloud import CloudStore  # noqa: PLC0415 - obstore: 40 ms that other runs do not need

    return CloudStore(settings)
