"""Listing a store folder by folder: slower than all at once, but an object without a name fails its folder only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pipeline.stores.store import Entry, Fault, Store, StoreFailure


def by_folder(
    store: Store, failed: Callable[[str, StoreFailure], None], leaves_out: Callable[[str], bool]
) -> Iterator[Sequence[Entry]]:
    """The entries of each folder; `failed` is called for one that cannot be listed. Raises `StoreFailure`."""
    waiting = [""]
    while waiting:
        path = waiting.pop()
        try:
            entries, below = store.entries_in(path)
        except StoreFailure as failure:
            if failure.fault is not Fault.BAD_NAME:
                raise
            failed(path, failure)
            continue
        yield entries
        waiting += [folder for folder in below if not leaves_out(folder)]
