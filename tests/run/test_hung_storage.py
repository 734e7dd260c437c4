"""A read that never returns costs its picture, even when it hits every thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.errors import ExitStatus, SourceTrouble
from pipeline.manifest.store import Manifest
from pipeline.model.source import Stat
from pipeline.run.batch import Batching
from pipeline.run.trouble import silent
from pipeline.sources.local import LocalSource
from pipeline.sources.source import Picture
from tests.run.hanging import Hanging, hanging
from tests.world import World, jpeg


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    with hanging(monkeypatch) as calls:
        yield calls


@pytest.fixture
def reads(calls: Hanging, monkeypatch: pytest.MonkeyPatch) -> Hanging:
    """Those of pictures that have a `b` in their path hang until they are released: at the end of the test."""
    read = LocalSource.read

    def hung(self: LocalSource, source: str, *rest: Any) -> Picture:
        if "b" in source:
            calls.hang(source)
        return read(self, source, *rest)

    monkeypatch.setattr(LocalSource, "read", hung)
    return calls


@pytest.mark.parametrize("threads", [1, 2])
def test_a_read_that_never_returns_costs_its_picture_even_when_it_hits_every_thread(
    world: World, reads: Hanging, threads: int
) -> None:
    world.configure(world.text + "limits: {read: 30}\n")
    world.fill(9)
    summary = world.run(threads=threads)
    assert (summary.pictures, summary.status) == ({"done": 6, "failed": 3}, ExitStatus.FAILED)
    assert {failure.error for failure in summary.failures} == {"read timed out: no answer within 30 s"}
    assert len(world.tree()) == 6


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("together", [False, True])
def test_a_look_at_a_broken_picture_that_never_returns_costs_that_picture(
    world: World, calls: Hanging, monkeypatch: pytest.MonkeyPatch, threads: int, *, together: bool
) -> None:
    stats = LocalSource.stats

    def hung(self: LocalSource, *rest: Any) -> list[Stat | None]:
        if threading.current_thread() is not threading.main_thread():
            calls.hang("broken.jpg")
        return stats(self, *rest)

    monkeypatch.setattr(LocalSource, "stats", hung)
    if together:
        monkeypatch.setattr(Batching, "_cost", lambda self, job: 0.0)
    world.configure(world.text + "limits: {read: 30}\n")
    world.put("broken.jpg", jpeg()[:200])
    world.fill(4)
    summary = world.run(threads=threads)
    assert (summary.pictures, summary.status) == ({"done": 4, "failed": 1}, ExitStatus.FAILED)
    assert [failure.error for failure in summary.failures] == ["read timed out: no answer within 30 s"]


def test_the_late_bytes_of_a_read_that_timed_out_are_dropped(world: World, reads: Hanging) -> None:
    world.configure(world.text + "limits: {read: 30}\n")
    world.fill(9)
    world.run(threads=2)
    before = world.tree()
    assert len(reads.threads) == 3
    reads.release()
    assert world.tree() == before
    assert {row["source"] for row in world.export() if row["status"] == "done"} == {
        f"{folder}/00{number}.jpg" for folder, number in [("a", 0), ("a", 3), ("a", 6), ("c", 2), ("c", 5), ("c", 8)]
    }


def test_a_source_that_answers_nobody_any_more_ends_the_run_and_the_rest_stays_pending(
    world: World, reads: Hanging
) -> None:
    world.configure(world.text + "limits: {read: 30}\nworkers: {queue: 1}\n")
    world.put("a.jpg")
    for number in range(30):
        world.put(f"b{number:02}.jpg")
    world.settle()
    with pytest.raises(SourceTrouble, match=r"no answer from the source .*/photos: 1[01] reads in a row timed out"):
        world.run(threads=2)
    with Manifest.reader_at(world.config.manifest) as reader:
        assert [run.status for run in reader.runs()] == [ExitStatus.UNFINISHED]
        assert len(reader.failures.everything()) < 2 * 12
    assert list(world.tree()) == ["a-thumb.jpg"]
    reads.release()
    summary = world.run(threads=2)
    assert (summary.pictures["done"], summary.known_failures) == (30, 0)


def test_reads_that_time_out_between_others_that_do_not_end_no_run(world: World, reads: Hanging) -> None:
    world.configure(world.text + "limits: {read: 30}\n")
    for number in range(24):
        world.put(f"{number:02}{'ab'[number % 2]}.jpg")
    world.settle()
    summary = world.run(threads=1)
    assert summary.pictures == {"done": 12, "failed": 12}


@pytest.mark.parametrize(
    ("unanswered", "threads", "ends"), [(9, 1, False), (10, 1, True), (19, 10, False), (20, 10, True)]
)
def test_each_thread_waits_twice_before_a_source_counts_as_dead(unanswered: int, threads: int, ends: bool) -> None:
    assert bool(silent("/photos", unanswered, threads)) is ends
