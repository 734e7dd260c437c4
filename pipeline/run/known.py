"""Which failures of a record are known: a run that came to its end has reported them."""

from __future__ import annotations

import time
from collections.abc import Callable

from pipeline.manifest.failures import of_record
from pipeline.manifest.store import Manifest
from pipeline.model.record import Reason, Record, Status


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
