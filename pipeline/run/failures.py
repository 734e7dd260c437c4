"""The failures in a config's manifest: which are known, and trying them again."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from pipeline.config.settings import Config
from pipeline.manifest.failures import KnownFailure, of_record
from pipeline.manifest.reader import Reader
from pipeline.manifest.store import Manifest
from pipeline.model.record import Reason, Record, Status
from pipeline.run.locking import held
from pipeline.sources.globs import Globs


@dataclass(frozen=True, slots=True)
class Listed:
    """One failure, and whether a run has reported it: then it is known, and not tried again by itself."""

    failure: KnownFailure

    @property
    def known(self) -> bool:
        """Whether a run has reported it."""
        return self.failure.reported is not None


def failures(config: Config) -> list[Listed]:
    """All failures of the config's renditions, by source. A source that failed itself comes once. Raises
    `PipelineError`.
    """
    with Manifest.reader(config) as reader:
        return listed(config, reader)


def retry(config: Config, globs: Sequence[str]) -> int:
    """Let the next run retry the failed sources that match (all, without globs); returns their number.

    Takes the run's locks. Raises `PipelineError`.
    """
    Manifest.reader(config).close()  # none is made
    wanted = Globs(tuple(globs))
    with (
        held(config, uuid.uuid4().hex),
        Manifest.for_config(config) as manifest,
    ):
        sources = {failure.source for failure in manifest.failures.everything()}
        matching = sorted(source for source in sources if not globs or wanted.covers(source))
        manifest.failures.forget(matching)
    return len(matching)


def listed(config: Config, reader: Reader) -> list[Listed]:
    """As `failures`, from a manifest that is open already."""
    everything = reader.failures.everything()
    names = set(config.rendition_names)
    whole = {failure.source for failure in everything if not failure.rendition}
    return [
        Listed(failure)
        for failure in everything
        if not failure.rendition or (failure.source not in whole and failure.rendition in names)
    ]


@dataclass(frozen=True, slots=True)
class Failed:
    """How many pictures have failed: a picture counts once, whatever the number of its renditions."""

    new: int = 0  # with a failure that no run has reported
    known: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)  # pictures by the errors that they have

    @property
    def pictures(self) -> int:
        """All of them."""
        return self.new + self.known


def counted(listing: Iterable[Listed]) -> Failed:
    """The pictures of a list that comes by source, as `listed` gives it."""
    new = known = 0
    kinds: Counter[str] = Counter()
    for _, several in groupby(listing, lambda entry: entry.failure.source):
        of_picture = tuple(several)
        if all(entry.known for entry in of_picture):
            known += 1
        else:
            new += 1
        kinds.update({entry.failure.kind.value for entry in of_picture})
    return Failed(new, known, dict(sorted(kinds.items())))


def reported_before(manifest: Manifest, record: Record, key: Callable[[], str]) -> frozenset[str]:
    """The renditions of `record` whose failure is known; "" is that of the source itself. Any thread.

    For a record of unchanged content: all that had failed before.
    """
    if record.status is Status.KNOWN_FAILURE:
        return frozenset(("",))
    if record.status is not Status.FAILED and not record.is_the_same:
        return frozenset()
    before = {
        name: failure for name, failure in manifest.failures.of(record.source).items() if failure.reported is not None
    }
    if record.is_the_same:
        return frozenset(before)
    names = {rendition.name for rendition in record.renditions if rendition.reason is Reason.KNOWN_FAILURE}
    for failure in of_record(record, key, time.time()):
        earlier = before.get(failure.rendition)
        if earlier is not None and failure.repeats(earlier):
            names.add(failure.rendition)
    return frozenset(names)
