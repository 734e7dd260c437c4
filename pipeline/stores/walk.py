"""Listing a store folder by folder: slower than all at once, but what cannot be listed fails its folder only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pipeline.stores.store import Entry, Fault, Store, StoreFailure

OF_ONE_FOLDER = frozenset({Fault.BAD_NAME, Fault.DENIED})
"""Faults of a listing that need not be those of the whole store."""


def by_folder(
    store: Store, failed: Callable[[str, StoreFailure], None], leaves_out: Callable[[str], bool]
) -> Iterator[Sequence[Entry]]:
    """The entries of each folder; `failed` is called for one that cannot be listed, and may raise. Raises
    `StoreFailure`, also where the root is denied.
    """
    waiting = [""]
    while waiting:
        path = waiting.pop()
        try:
            entries, below = store.entries_in(path)
        except StoreFailure as failure:
            if failure.fault not in OF_ONE_FOLDER or (failure.fault is Fault.DENIED and not path):
                raise
            failed(path, failure)
            continue
        yield entries
        waiting += [folder for folder in below if not leaves_out(folder)]
