"""A read that never returns costs its picture, even when it hits every thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.errors import ExitStatus
from pipeline.sources.local import LocalSource
from pipeline.sources.source import Picture
from tests.world import World


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Reads of pictures in folder `b` sit until this is set: at the end of the test."""
    event = threading.Event()
    read = LocalSource.read

    def hanging(self: LocalSource, source: str, *rest: Any) -> Picture:
        if source.startswith("b/"):
            event.wait()
        return read(self, source, *rest)

    monkeypatch.setattr(LocalSource, "read", hanging)
    yield event
    event.set()


@pytest.mark.parametrize("threads", [1, 2])
def test_a_read_that_never_returns_costs_its_picture_even_when_it_hits_every_thread(
    world: World, released: threading.Event, threads: int
) -> None:
    world.configure(world.text + "limits: {read: 0.3}\n")
    world.fill(9)
    summary = world.run(threads=threads)
    assert (summary.pictures, summary.status) == ({"done": 6, "failed": 3}, ExitStatus.FAILED)
    assert {one.error for one in summary.failures} == {"read timed out: no answer within 0.3 s"}
    assert len(world.tree()) == 6


def test_the_late_bytes_of_a_read_that_timed_out_are_dropped(world: World, released: threading.Event) -> None:
    world.configure(world.text + "limits: {read: 0.3}\n")
    world.fill(9)
    world.run(threads=2)
    before = world.tree()
    late = [thread for thread in threading.enumerate() if thread.name.startswith("worker-")]
    assert len(late) == 3
    released.set()
    for thread in late:
        thread.join(10)
    assert not any(thread.is_alive() for thread in late)
    assert world.tree() == before
    assert {row["source"] for row in world.export() if row["status"] == "done"} == {
        f"{folder}/00{number}.jpg" for folder, number in [("a", 0), ("a", 3), ("a", 6), ("c", 2), ("c", 5), ("c", 8)]
    }
