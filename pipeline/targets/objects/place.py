"""Where a cluster's lease is if its target is in object storage: an object that is rewritten whole."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, replace

from pipeline.config.settings import StoreSettings
from pipeline.stores.opening import store_at
from pipeline.stores.store import StoreFailure
from pipeline.targets.lease import LONGEST
from pipeline.targets.paths import RESERVED

DRIVER = f"{RESERVED}/driver"  # what the names of all places begin with
_RETRY = 2.0  # seconds: a sign of life that comes later is none


@dataclass(frozen=True, slots=True)
class InStore:
    """A `Place` of `lease`."""

    store: StoreSettings
    name: str
    at_each_write = False  # a request takes some 20 ms, and has its price

    @staticmethod
    def of(store: StoreSettings, shard: str) -> InStore:
        """That of a run, or of the run of a shard. Its name is not that of the lease that keeps runs apart."""
        return InStore(replace(store, retry=min(store.retry, _RETRY)), f"{DRIVER}{shard}")

    def read(self) -> bytes:
        """See `Place`."""
        try:
            body = store_at(self.store).get(self.name)
            if body.entry.size > LONGEST:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
            return b"".join(body.pieces)
        except StoreFailure as failure:
            raise OSError(str(failure)) from None

    def write(self, text: bytes, *, create: bool) -> None:
        """See `Place`."""
        del create  # where it is gone, its run is over, and lanes have ended
        try:
            store_at(self.store).put(self.name, memoryview(text), {})
        except StoreFailure as failure:
            raise OSError(str(failure)) from None

    def remove(self) -> None:
        """See `Place`."""
        try:
            store_at(self.store).remove(self.name)
        except StoreFailure as failure:
            raise OSError(str(failure)) from None

    def beside(self, suffix: str) -> InStore:
        """See `Place`."""
        return replace(self, name=f"{self.name}.{suffix}")

    def __str__(self) -> str:
        return f"{self.store.shown}/{self.name}"
