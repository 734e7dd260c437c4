"""What is started ahead of a run is used by it, or gone with it."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.errors import ExitStatus
from pipeline.run import prestart as module
from pipeline.run.options import RunOptions
from pipeline.run.prestart import prestarted
from pipeline.run.run import run
from pipeline.workers.peer import Peer
from tests.world import World


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Peer]:
    """The lane processes that are started."""
    peers: list[Peer] = []
    begin = Peer.__init__

    def noted(self: Peer, function: str) -> None:
        begin(self, function)
        peers.append(self)

    monkeypatch.setattr(Peer, "__init__", noted)
    return peers


def _until(peers: list[Peer], count: int) -> None:
    end = time.monotonic() + 60
    while len(peers) < count:
        assert time.monotonic() < end
        os.sched_yield()


def _is_there(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def test_lanes_that_were_started_ahead_carry_the_run_and_are_gone_with_it(
    world: World, started: list[Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MANY", 6)
    world.fill(6)
    with prestarted(wanted=True, processes=8, sources=[world.source]) as before:
        _until(started, 2)
        summary = run(world.config, RunOptions(processes=2, lanes=1), prestarted=before)
    assert (summary.status, summary.pictures) == (ExitStatus.OK, {"done": 6})
    assert len(started) == 2
    assert not any(_is_there(peer.pid) for peer in started)


def test_lanes_that_nobody_needs_are_gone_at_the_end(
    world: World, started: list[Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MANY", 6)
    world.fill(6)
    with prestarted(wanted=True, processes=8, sources=[world.source]):
        _until(started, 2)
    assert not any(_is_there(peer.pid) for peer in started)


@pytest.mark.parametrize(("files", "processes", "wanted"), [(5, 8, True), (6, 7, True), (6, 8, False)])
def test_no_lane_is_started_ahead_where_little_is_to_be_done(
    files: int, processes: int, wanted: bool, world: World, started: list[Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MANY", 6 if files == 6 else 10)
    world.fill(files)
    looked = threading.Event()
    glance = module._hold_many

    def noted(folders: Sequence[Path]) -> bool:
        many = glance(folders)
        looked.set()
        return many

    monkeypatch.setattr(module, "_hold_many", noted)
    with prestarted(wanted=wanted, processes=processes, sources=[world.source]) as before:
        assert before.lanes is None or looked.wait(60)
    assert started == []


def test_a_source_that_does_not_answer_holds_nothing_up(
    world: World, started: list[Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()
    monkeypatch.setattr(module, "_hold_many", lambda folder: answer.wait())
    with prestarted(wanted=True, processes=8, sources=[world.source]) as before:
        assert before.lanes is not None
        assert before.lanes.take() == []
    answer.set()
    assert started == []
