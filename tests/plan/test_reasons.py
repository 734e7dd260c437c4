from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ErrorKind
from pipeline.model.record import KnownRendition, KnownSource, Reason, Status
from pipeline.model.source import Stat
from pipeline.plan.reasons import nothing_to_do, reason, reasons

THERE = Stat(10, 20, 30)
MADE = KnownRendition("t.jpg", "recipe", Status.DONE, None, 10, 20, b"hash")
SOURCE = KnownSource("s.jpg", Stat(1, 2, 3), b"hash", True, Status.DONE, None, {"thumb": MADE})
WANTED = [("thumb", "t.jpg", "recipe")]


@pytest.mark.parametrize(
    ("known", "there", "expected"),
    [
        (None, None, Reason.NEW),
        (None, THERE, Reason.NEW),
        (replace(MADE, target="old.jpg"), THERE, Reason.NEW),
        (replace(MADE, status=Status.FAILED, size=None), None, Reason.RETRY),
        (replace(MADE, status=Status.FAILED), THERE, Reason.RETRY),
        (replace(MADE, recipe="other"), THERE, Reason.RECIPE_CHANGED),
        (replace(MADE, recipe=""), THERE, Reason.RECIPE_CHANGED),
        (replace(MADE, recipe="other"), None, Reason.RECIPE_CHANGED),
        (MADE, None, Reason.MISSING),
        (MADE, Stat(11, 20, 30), Reason.DAMAGED),
        (MADE, Stat(10, 21, 30), Reason.DAMAGED),
        (MADE, Stat(10, 20, 31, 5, 6), Reason.UNCHANGED),  # a target's ctime and inode change with every backup
        (replace(MADE, status=Status.KEPT), THERE, Reason.UNCHANGED),
    ],
)
def test_a_rendition_has_the_first_reason_that_holds(
    known: KnownRendition | None, there: Stat | None, expected: Reason
) -> None:
    assert reason(known, "t.jpg", "recipe", there) is expected


@pytest.mark.parametrize(
    ("known", "stat", "there", "expected"),
    [
        (None, Stat(1, 2, 3), THERE, Reason.NEW),
        (SOURCE, Stat(1, 2, 3), THERE, Reason.UNCHANGED),
        (SOURCE, Stat(1, 2, 3, 8, 9), THERE, Reason.UNCHANGED),  # another device after a remount
        (SOURCE, Stat(9, 2, 3), THERE, Reason.SOURCE_CHANGED),
        (SOURCE, Stat(1, 9, 3), THERE, Reason.SOURCE_CHANGED),
        (SOURCE, Stat(1, 2, 9), THERE, Reason.SOURCE_CHANGED),
        (SOURCE, Stat(1, 2, 9), None, Reason.MISSING),  # whatever the content says, this is to be made
        (replace(SOURCE, settled=False), Stat(1, 2, 3), THERE, Reason.SOURCE_CHANGED),
        (replace(SOURCE, settled=False), Stat(1, 2, 3), None, Reason.MISSING),
        (replace(SOURCE, status=Status.FAILED), Stat(1, 2, 3), THERE, Reason.UNCHANGED),  # another rendition failed
        (replace(SOURCE, status=Status.FAILED, error=ErrorKind.DAMAGED), Stat(1, 2, 3), THERE, Reason.RETRY),
        (replace(SOURCE, status=Status.FAILED, error=ErrorKind.DAMAGED), Stat(1, 2, 9), THERE, Reason.RETRY),
        (replace(SOURCE, status=Status.UNSUPPORTED), Stat(1, 2, 3), THERE, Reason.NEW),
        (replace(SOURCE, status=Status.SKIPPED), Stat(1, 2, 3), THERE, Reason.NEW),
        (replace(SOURCE, status=Status.DEFERRED), Stat(1, 2, 3), THERE, Reason.NEW),
    ],
)
def test_a_source_changes_the_reasons_of_its_renditions(
    known: KnownSource | None, stat: Stat, there: Stat | None, expected: Reason
) -> None:
    assert reasons(known, stat, WANTED, [there]) == [expected]


def test_force_outranks_everything() -> None:
    assert reasons(SOURCE, SOURCE.stat, WANTED, [THERE], force=True) == [Reason.FORCED]
    assert reasons(None, SOURCE.stat, WANTED, [None], force=True) == [Reason.FORCED]


_SMALL = st.integers(0, 1)
_STATS = st.builds(Stat, _SMALL, _SMALL, _SMALL)
_RENDITIONS = st.builds(
    KnownRendition,
    st.sampled_from(["a.jpg", "b.jpg"]),
    st.sampled_from(["r", "s"]),
    st.sampled_from([Status.DONE, Status.KEPT, Status.FAILED]),
    st.none(),
    _SMALL,
    _SMALL,
    st.none(),
)
_SOURCES = st.builds(
    KnownSource,
    st.just("s"),
    _STATS,
    st.none(),
    st.booleans(),
    st.sampled_from(Status),
    st.none() | st.just(ErrorKind.DAMAGED),
    st.dictionaries(st.sampled_from(["a", "b", "c"]), _RENDITIONS),
)


@given(_SOURCES, _STATS, st.tuples(st.none() | _STATS, st.none() | _STATS))
def test_the_quick_way_says_what_the_long_one_does(
    known: KnownSource, stat: Stat, there: tuple[Stat | None, Stat | None]
) -> None:
    wanted = [("a", "a.jpg", "r"), ("b", "b.jpg", "r")]
    if nothing_to_do(known, stat, wanted, there):
        assert reasons(known, stat, wanted, there) == [Reason.UNCHANGED] * 2
        assert set(known.renditions) == {"a", "b"}
    elif known.status in (Status.DONE, Status.KEPT) and set(known.renditions) == {"a", "b"}:
        assert reasons(known, stat, wanted, there) != [Reason.UNCHANGED] * 2
