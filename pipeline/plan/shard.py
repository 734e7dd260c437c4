"""A part of all pictures, for runs that share them out among machines without asking each other."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pipeline.manifest.values import to_bytes
from pipeline.sources.globs import Globs


@dataclass(frozen=True, slots=True)
class Shard:
    """The part `number` of `count`, from 1. Which pictures are in it depends on their names alone."""

    number: int
    count: int

    def holds(self, source: str) -> bool:
        """Whether the picture of this name is in this part."""
        return self.holds_bytes(to_bytes(source))

    def holds_bytes(self, source: bytes) -> bool:
        """The same for the bytes of a name."""
        return int.from_bytes(hashlib.sha256(source).digest()[:8]) % self.count == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


class Asked:
    """The pictures that a plan is asked about: by the patterns of `--only` and by its shard."""

    def __init__(self, only: Globs, shard: Shard | None) -> None:
        self._only = only
        self._shard = shard

    def __bool__(self) -> bool:
        """Whether any may be left out."""
        return bool(self._only) or self._shard is not None

    def covers(self, source: str) -> bool:
        """Whether the picture is asked about."""
        return (not self._only or self._only.covers(source)) and (self._shard is None or self._shard.holds(source))
