"""The names of all targets: which there will be, and which two sources would share.

With `on_collision: keep_extension` every target keeps its source's extension, whether anything collides or not. Were it
only those that collide, a new `photo.png` would rename what `photo.jpg` made last year, and its end rename it back.
"""

from __future__ import annotations

import itertools
from array import array
from bisect import bisect_left
from collections.abc import Callable, Container, Iterable, Sequence

from pipeline.config.settings import OnCollision, TargetSettings
from pipeline.config.template import Template
from pipeline.errors import ErrorKind, PictureError
from pipeline.manifest.claims import fold, folds
from pipeline.model.spec import Spec

_BUCKETS = 256  # so that sorting one takes little memory beside the rest


class Naming:
    """From a source to the paths of its renditions."""

    def __init__(self, settings: TargetSettings, specs: Iterable[Spec]) -> None:
        self.specs = tuple(specs)
        self._template = Template.parse(settings.name)
        self._keep_extension = settings.on_collision is OnCollision.KEEP_EXTENSION

    def targets(self, folder: str, names: Sequence[str]) -> list[tuple[str, ...]]:
        """The target paths of each of the files `names` in `folder`, in the order of the specs."""
        return self._template.targets(folder, names, self.specs, keep_extension=self._keep_extension)

    def columns(self, folder: str, names: Sequence[str]) -> list[list[str]]:
        """The same for each of the specs: the paths of all `names`."""
        return self._template.columns(folder, names, self.specs, keep_extension=self._keep_extension)

    def could_tell_apart(self, source: str, other: str) -> bool:
        """Whether `keep_extension`, where it was not chosen, would give the sources targets that differ."""
        if self._keep_extension:
            return False
        parts = (path.rpartition("/") for path in (source, other))
        one, another = (
            set(folds(self._template.targets(folder, (name,), self.specs, keep_extension=True)[0]))
            for folder, _, name in parts
        )
        return one.isdisjoint(another)


def name_hash(target: str) -> int:
    """The 64-bit hash of a target's fold key; another in every process."""
    return hash(fold(target))


class NameIndex:
    """64-bit hashes of the fold keys of all targets: 8 bytes each. Hashes differ from run to run, verdicts do not."""

    def __init__(self) -> None:
        self._buckets = [array("q") for _ in range(_BUCKETS)]
        self._sorted = [0] * _BUCKETS  # how many were there when the bucket was last sorted

    def add(self, targets: Sequence[str]) -> None:
        """Take some targets."""
        buckets = self._buckets
        for key in map(hash, folds(targets)):
            buckets[key % _BUCKETS].append(key)

    def repeated(self) -> set[int]:
        """The hashes that came more than once."""
        found: set[int] = set()
        for number, bucket in enumerate(self._buckets):
            if len(set(bucket)) < len(bucket):
                keys = self._in_order(number)
                found.update(key for key, following in itertools.pairwise(keys) if key == following)
        return found

    def holds(self, target: str) -> bool:
        """Whether some source may make `target`; False is certain."""
        key = name_hash(target)
        keys = self._in_order(key % _BUCKETS)
        at = bisect_left(keys, key)
        return at < len(keys) and keys[at] == key

    def _in_order(self, number: int) -> array[int]:
        bucket = self._buckets[number]
        if self._sorted[number] != len(bucket):
            bucket = self._buckets[number] = array("q", sorted(bucket))
            self._sorted[number] = len(bucket)
        return bucket


Makers = dict[bytes, list[tuple[str, str]]]
"""By fold key: (source, target) of everything that would make it, in the order of the sources."""


def makers(sources: Iterable[str], naming: Naming, wanted: Container[int], is_picture: Callable[[str], bool]) -> Makers:
    """Who makes the targets whose fold keys have a hash among `wanted`; only sources that `is_picture` says yes to."""
    found: Makers = {}
    for source in sources:
        folder, _, name = source.rpartition("/")
        keys = [(fold(target), target) for target in naming.targets(folder, (name,))[0]]
        mine = [(key, target) for key, target in keys if hash(key) in wanted]
        if mine and is_picture(source):
            for key, target in mine:
                found.setdefault(key, []).append((source, target))
    return found


def collisions(found: Makers, naming: Naming) -> dict[str, PictureError]:
    """The error of each source that shares a target with another (or with itself, in two renditions)."""
    errors: dict[str, PictureError] = {}
    for sharing in found.values():
        if len(sharing) < 2:
            continue
        for number, (source, target) in enumerate(sharing):
            other, theirs = sharing[0 if number else 1]
            errors.setdefault(source, PictureError(ErrorKind.COLLISION, _shared(source, target, other, theirs, naming)))
    return errors


def _shared(source: str, target: str, other: str, theirs: str, naming: Naming) -> str:
    if other == source:
        return f"two of its renditions would make '{target}'; put more fields into target.name"
    way_out = "rename one of them"
    if naming.could_tell_apart(source, other):
        way_out = "target.on_collision: keep_extension keeps both"
    if target == theirs:
        return f"it and '{other}' would make '{target}'; {way_out}"
    one_file = "one file where capitals or accents do not count"
    return f"it would make '{target}', and '{other}' '{theirs}': {one_file}; {way_out}"
