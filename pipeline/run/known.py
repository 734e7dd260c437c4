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
    before = {name: one for name, one in manifest.failures.of(record.source).items() if one.reported is not None}
    if record.is_the_same:
        return frozenset(before)
    names = {one.name for one in record.renditions if one.reason is Reason.KNOWN_FAILURE}
    for one in of_record(record, key, time.time()):
        earlier = before.get(one.rendition)
        if earlier is not None and one.repeats(earlier):
            names.add(one.rendition)
    return frozenset(names)
