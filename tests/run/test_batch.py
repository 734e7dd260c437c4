"""Batches hold about a tenth of a second of work, as far as the run knows what its pictures take."""

from __future__ import annotations

import resource
from collections.abc import Sequence

import pytest

from pipeline.model.job import Job, Planned
from pipeline.model.record import Reason, Record, RenditionRecord, Status
from pipeline.model.source import Header, Stat
from pipeline.model.spec import Spec
from pipeline.run.batch import Batching


def _job(number: int, size: int = 1000, sidecar: Stat | None = None, specs: Sequence[str] = ("thumb",)) -> Job:
    stat = Stat(size, 0, 0, sidecar=sidecar)
    planned = tuple(Planned(Spec(name), f"{number}-{name}.jpg", "r", Reason.NEW) for name in specs)
    return Job(f"{number}.png", stat, planned)


def _sizes(batching: Batching, jobs: Sequence[Job], threads: int = 4) -> list[int]:
    return [len(batch.jobs) for batch in batching.batches(jobs, threads)]


def _taking(
    seconds: float,
    pictures: int = 20,
    needs: int = 1000,
    size: int = 1000,
    name: str = "{}.png",
    waits: float = 0.0,
) -> Batching:
    batching = Batching(1)
    made = RenditionRecord("thumb", "", "", Status.DONE, Reason.NEW, seconds_encode=seconds / 2, seconds_write=waits)
    header = Header("png", 64, 64, 1, "RGB", needs)
    for number in range(pictures):
        stat = Stat(size, 0, 0)
        source = name.format(number)
        batching.took(Record(source, stat, Status.DONE, (made,), header=header, seconds_read=seconds / 2))
    return batching


def test_batches_are_full_where_pictures_are_quick_and_of_one_where_they_wait() -> None:
    jobs = [_job(number) for number in range(40)]
    assert _sizes(_taking(0.001), jobs) == [32, 8]
    assert _sizes(_taking(0.021), jobs) == [4] * 10
    assert _sizes(_taking(1.0), jobs) == [1] * 40


def test_the_wait_for_a_disk_which_the_files_of_a_batch_share_makes_no_batch_smaller() -> None:
    assert _sizes(_taking(0.001, waits=0.02), [_job(number) for number in range(40)]) == [32, 8]


@pytest.mark.parametrize("pictures", [0, 7])
def test_as_long_as_little_is_known_of_a_kind_its_pictures_are_alone(pictures: int) -> None:
    assert _sizes(_taking(0.001, pictures), [_job(number) for number in range(40)]) == [1] * 40


def test_a_kind_is_pictures_of_one_extension_and_about_one_size() -> None:
    batching = _taking(0.001, size=1000)
    jobs = [_job(0), _job(1, size=10**6), _job(2), Job("3.jpg", Stat(1000, 0, 0), _job(3).planned), _job(4, size=600)]
    assert [[job.source for job in batch.jobs] for batch in batching.batches(jobs, 4)] == [
        ["1.png"],
        ["3.jpg"],
        ["0.png", "2.png", "4.png"],
    ]


def test_pictures_without_an_extension_are_of_one_kind() -> None:
    jobs = [Job(f"v1.3/{number}", Stat(1000, 0, 0), _job(0).planned) for number in range(9)]
    assert _sizes(_taking(0.001, name="v1.2/{}"), jobs) == [9]


def test_pictures_that_need_more_than_they_would_have_leave_for_are_alone() -> None:
    assert _sizes(_taking(0.001, needs=33 * 2**20), [_job(0), _job(1)]) == [1, 1]


def test_a_picture_with_a_sidecar_is_alone_and_others_share_with_those_of_which_the_same_is_made() -> None:
    jobs = [_job(0), _job(1, sidecar=Stat(9, 0, 0)), _job(2), _job(3, specs=("other",)), _job(4, specs=("other",))]
    assert [[job.source for job in batch.jobs] for batch in _taking(0.001).batches(jobs, 4)] == [
        ["1.png"],
        ["0.png", "2.png"],
        ["3.png", "4.png"],
    ]


def test_a_batch_holds_no_more_than_8_mib_of_sources() -> None:
    jobs = [_job(number, size=3 * 2**20) for number in range(5)]
    assert _sizes(_taking(0.001, size=3 * 2**20), jobs) == [2, 2, 1]


def test_many_threads_hold_no_more_files_open_than_they_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1024, 1024))
    jobs = [_job(number) for number in range(20)]
    assert _sizes(_taking(0.001), jobs, threads=64) == [2] * 10
    assert _sizes(_taking(0.001), jobs, threads=1000) == [1] * 20
