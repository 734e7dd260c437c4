from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, fields, replace

import pytest

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.job import Job, Planned
from pipeline.model.record import Reason, Record, RenditionRecord, Status, Written
from pipeline.model.source import Header, Remote, Stat
from pipeline.model.spec import Spec

STAT = Stat(3, 2**62, 5, 7, 11, sidecar=Stat(1, 2, 3), remote=Remote("https://x/?key=1", "https://x/"))
PLANNED = Planned(Spec("thumb", width=32), "a/b\udcff.jpg", "recipe", Reason.NEW)
MADE = RenditionRecord("thumb", "b.jpg", "recipe", Status.DONE, Reason.NEW, written=Written("b.jpg", 9, 8, b"\0" * 32))


@pytest.mark.parametrize(
    "value",
    [
        STAT,
        PLANNED,
        MADE,
        Header("jpeg", 4, 3, 1, "RGB", 100),
        Job("a/b\udcff.png", STAT, (PLANNED, PLANNED)),
        Record("a.png", STAT, Status.FAILED, (MADE,), sha256=b"1", error=PictureError(ErrorKind.CRASHED, "why")),
    ],
)
def test_what_crosses_processes_comes_out_as_it_went_in(value: Stat | Record) -> None:
    again = pickle.loads(pickle.dumps(value, protocol=5))
    assert repr(again) == repr(value)
    assert type(again) is type(value)
    with pytest.raises(FrozenInstanceError):
        setattr(again, fields(value)[0].name, "another")


def test_a_value_that_came_out_can_be_replaced_and_compared() -> None:
    again = pickle.loads(pickle.dumps(STAT, protocol=5))
    assert again == STAT
    assert replace(again, size=4).size == 4
