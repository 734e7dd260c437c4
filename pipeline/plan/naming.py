"""The names of all targets, and the collisions among them.

With `on_collision: keep_extension` every target keeps its source's extension, whether it collides or not. If only
colliding targets kept it, a new `photo.png` would rename what `photo.jpg` made last year, and its removal would rename
it back.
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
from pipeline.plan.rules import Rules

_BUCKETS = 256  # sorting one of them takes little memory beside all


class Naming:
    """Maps a source to the target paths of its renditions."""

    def __init__(self, settings: TargetSettings, rules: Rules) -> None:
        self.rules = rules
        self._template = Template.parse(settings.name, keys=settings.shards is not None)
        self._keep_extension = settings.on_collision is OnCollision.KEEP_EXTENSION

    def targets(self, folder: str, names: Sequence[str]) -> list[tuple[str, ...]]:
        """The target paths of each of the files `names` in `folder`, in the order of its specs."""
        return self._targets(folder, names, keep_extension=self._keep_extension)

    def columns(self, folder: str, names: Sequence[str], specs: Sequence[Spec]) -> list[list[str]]:
        """The paths of all `names` for each of `specs`, which are those of the set of all of them."""
        return self._template.columns(folder, names, specs, keep_extension=self._keep_extension)

    def _targets(self, folder: str, names: Sequence[str], *, keep_extension: bool) -> list[tuple[str, ...]]:
        parts = [
            (of_set, self._template.targets(folder, of_set, wanted.specs, keep_extension=keep_extension))
            for wanted, of_set in self.rules.split(folder, names)
        ]
        if len(parts) == 1:
            return parts[0][1]
        by_name = {name: targets for of_set, each in parts for name, targets in zip(of_set, each, strict=True)}
        return [by_name[name] for name in names]

    def told_apart(self, source: str, other: str) -> str:
        """The first target of `source` with `keep_extension`; "" where that was chosen or does not tell them apart."""
        if self._keep_extension:
            return ""
        parts = (path.rpartition("/") for path in (source, other))
        ours, theirs = (self._targets(folder, (name,), keep_extension=True)[0] for folder, _, name in parts)
        return ours[0] if set(folds(ours)).isdisjoint(folds(theirs)) else ""


def name_hash(target: str) -> int:
    """The 64-bit hash of a target's fold key. It differs from process to process."""
    return hash(fold(target))


class NameIndex:
    """64-bit hashes of the fold keys of all targets: 8 bytes each. Hashes differ from run to run, answers do not."""

    def __init__(self) -> None:
        self._buckets = [array("q") for _ in range(_BUCKETS)]
        self._sorted = [0] * _BUCKETS  # the length of each bucket when it was last sorted

    def add(self, targets: Sequence[str]) -> None:
        """Add some targets."""
        buckets = self._buckets
        for key in map(hash, folds(targets)):
            buckets[key % _BUCKETS].append(key)

    def repeated(self) -> set[int]:
        """The hashes that were added more than once."""
        repeated: set[int] = set()
        for number, bucket in enumerate(self._buckets):
            if len(set(bucket)) < len(bucket):
                keys = self._in_order(number)
                repeated.update(key for key, following in itertools.pairwise(keys) if key == following)
        return repeated

    def holds(self, target: str) -> bool:
        """Whether some source may make `target`. False is certain, True may be a hash that two targets share."""
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
"""By fold key: the pairs (source, target) that share it, in the order of the sources."""


def makers(sources: Iterable[str], naming: Naming, wanted: Container[int], is_picture: Callable[[str], bool]) -> Makers:
    """The sources of the targets whose fold keys have a hash among `wanted`. Only pictures count, by `is_picture`."""
    by_key: Makers = {}
    for source in sources:
        folder, _, name = source.rpartition("/")
        keys = [(fold(target), target) for target in naming.targets(folder, (name,))[0]]
        mine = [(key, target) for key, target in keys if hash(key) in wanted]
        if mine and is_picture(source):
            for key, target in mine:
                by_key.setdefault(key, []).append((source, target))
    return by_key


def collisions(by_key: Makers, naming: Naming) -> dict[str, PictureError]:
    """The error of each source that shares a target with another source, or makes one target in two renditions."""
    errors: dict[str, PictureError] = {}
    for sharing in by_key.values():
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
    if example := naming.told_apart(source, other):
        way_out = f"with target.on_collision: keep_extension all are named as in '{example}'"
    if target == theirs:
        return f"it and '{other}' would make '{target}'; {way_out}"
    one_file = "one file where capitals or accents do not count"
    return f"it would make '{target}', and '{other}' '{theirs}': {one_file}; {way_out}"
