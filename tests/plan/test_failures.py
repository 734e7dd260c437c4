"""Which failures are not tried again: by what is remembered alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.errors import ErrorKind
from pipeline.manifest.failures import KnownFailure
from pipeline.model.record import KnownRendition, KnownSource, Reason, Status
from pipeline.model.source import Stat
from pipeline.model.spec import Limits
from pipeline.plan.failures import failure_key, without_known_failures
from pipeline.plan.reasons import reasons

STAT = Stat(10, 20, 30)
FOUND = Stat(4, 5, 6)
WANTED = [("thumb", "a-thumb.jpg", "r1"), ("large", "a-large.jpg", "r2")]
MADE = KnownRendition("a-thumb.jpg", "r1", Status.DONE, None, 4, 5, b"hash")
FAILED = KnownRendition("a-large.jpg", "r2", Status.FAILED, ErrorKind.TIME_LIMIT, None, None, None)
OF_SOURCE = KnownFailure("a.jpg", "", ErrorKind.TIME_LIMIT, "", b"c", "", "key", 1.0, reported=7)
OF_LARGE = replace(OF_SOURCE, rendition="large", recipe="r2")
BOTH = {"": OF_SOURCE, "large": OF_LARGE}


def judged(
    failures: dict[str, KnownFailure], *, stat: Stat = STAT, thumb: Stat | None = FOUND, key: str = "key"
) -> list[Reason]:
    """A source that failed when `large` was due, after `thumb` had been made of it."""
    known = KnownSource(
        "a.jpg", STAT, b"c", True, Status.FAILED, ErrorKind.TIME_LIMIT, {"thumb": MADE, "large": FAILED}
    )
    stats = [thumb, None]
    why = reasons(known, stat, WANTED, stats)
    assert why == [Reason.RETRY, Reason.RETRY]
    return without_known_failures(why, known, stat, WANTED, stats, failures, key)


def test_what_was_made_before_the_source_failed_is_not_made_again() -> None:
    assert judged(BOTH) == [Reason.UNCHANGED, Reason.KNOWN_FAILURE]


def test_what_is_missing_of_it_is_tried() -> None:
    assert judged(BOTH, thumb=None) == [Reason.MISSING, Reason.KNOWN_FAILURE]


def test_with_another_stat_the_content_decides() -> None:
    assert judged(BOTH, stat=Stat(10, 21, 31)) == [Reason.SOURCE_CHANGED, Reason.SOURCE_CHANGED]


@pytest.mark.parametrize(
    "failures",
    [
        {},
        {name: replace(failure, reported=None) for name, failure in BOTH.items()},
        {name: replace(failure, kind=ErrorKind.UNREADABLE) for name, failure in BOTH.items()},
        {name: replace(failure, key="other") for name, failure in BOTH.items()},
    ],
    ids=["forgotten", "not told", "judged anew", "other limits"],
)
def test_what_is_not_known_is_tried_again(failures: dict[str, KnownFailure]) -> None:
    assert judged(failures) == [Reason.RETRY, Reason.RETRY]


def test_the_key_changes_with_every_limit() -> None:
    keys = {failure_key(Limits()), failure_key(Limits(seconds=1)), failure_key(Limits(memory=1))}
    assert len(keys) == 3
    assert failure_key(Limits()) == failure_key(Limits())
