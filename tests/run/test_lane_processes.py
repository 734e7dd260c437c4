"""Lanes in processes of their own keep every promise: nothing is lost with one, and none outlives its run."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast
from unittest.mock import Mock

import pytest

from pipeline.errors import ExitStatus, PipelineError, Stopped, TargetTrouble
from pipeline.manifest.store import Manifest
from pipeline.run import lane_processes
from pipeline.run.batch import Outcome
from pipeline.run.clock import Pace
from pipeline.run.lane import Control
from pipeline.run.lane_host import Came, LaneSetup, Ready, Trouble
from pipeline.workers.peer import Messages, Peer
from tests.run import lane_faults
from tests.world import World, jpeg

_GONE = 60.0  # seconds: it takes less than three, on a machine that has time for it


@pytest.fixture
def fault(world: World, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(lane_processes, "SERVE", lane_faults.SERVE)
    monkeypatch.setenv("MARK", str(world.root / "mark"))
    monkeypatch.setenv("VICTIM", "b/")
    monkeypatch.setenv("FAULT", "")
    return monkeypatch


@pytest.mark.parametrize(
    ("fault_", "lanes"),
    [
        ("dies while writing", 2),
        *(
            pytest.param(fault, lanes, marks=pytest.mark.slow)
            for fault, lanes in (
                ("dies in a read", 1),
                ("dies in a read", 2),
                ("dies after writing", 1),
                ("dies after writing", 2),
                ("dies while writing", 1),
            )
        ),
    ],
)
def test_what_a_lost_lane_had_in_hand_is_made_by_another(
    world: World, fault: pytest.MonkeyPatch, fault_: str, lanes: int
) -> None:
    fault.setenv("FAULT", fault_)
    world.fill(24)
    summary = world.run(lanes=lanes, processes=2)
    assert (summary.status, summary.pictures) == (ExitStatus.OK, {"done": 24})
    assert (world.root / "mark").exists()
    assert len(world.tree()) == 24
    assert world.leftovers() == []
    assert world.run().pictures == {"unchanged": 24}


@pytest.mark.slow
def test_a_file_that_a_lost_lane_has_not_reported_is_ours(world: World, fault: pytest.MonkeyPatch) -> None:
    fault.setenv("FAULT", "dies after writing")
    fault.setenv("VICTIM", "a/")
    world.put("a/one.jpg")
    world.settle()
    came = lane_processes.LaneProcesses._gone

    def rewritten(self: lane_processes.LaneProcesses, lane: lane_processes._Lane) -> None:
        if len(world.tree()) == 1 and not lane.ended:
            world.put("a/one.jpg", jpeg((1, 2, 3), (80, 60)))  # so what is in its place is not what is made next
        came(self, lane)

    fault.setattr(lane_processes.LaneProcesses, "_gone", rewritten)
    summary = world.run(lanes=1, processes=1)
    assert (summary.status, summary.failures) == (ExitStatus.OK, ())


@pytest.mark.slow
def test_a_picture_that_always_kills_its_lane_ends_the_run_when_all_others_are_done(
    world: World, fault: pytest.MonkeyPatch
) -> None:
    fault.setenv("FAULT", "dies in a read, always")
    fault.setenv("VICTIM", "b/004")
    world.fill(24)
    with pytest.raises(PipelineError, match="3 lane processes have died, the last with signal 9"):
        world.run(lanes=2, processes=2)
    with Manifest.reader_at(world.config.manifest) as reader:
        known = [source for folder in "abc" for source in reader.known_sources(folder)]
    assert len(known) == 23


@pytest.mark.slow
def test_lanes_that_cannot_start_are_replaced_by_the_one_in_the_process(
    world: World, fault: pytest.MonkeyPatch
) -> None:
    fault.setenv("FAULT", "dies at start")
    world.fill(6)
    assert world.run(lanes=2, processes=2).pictures == {"done": 6}


@pytest.mark.slow
@pytest.mark.parametrize("fault_", ["all but one dies at start", "all but one has trouble at start"])
def test_a_lane_that_cannot_start_is_done_without(world: World, fault: pytest.MonkeyPatch, fault_: str) -> None:
    fault.setenv("FAULT", fault_)
    world.fill(24)
    assert world.run(lanes=2, processes=2).pictures == {"done": 24}


@pytest.mark.slow
def test_a_lane_that_does_not_get_ready_in_time_is_replaced(world: World, fault: pytest.MonkeyPatch) -> None:
    fault.setenv("FAULT", "hangs at start")
    fault.setattr(lane_processes, "_START", 0.2)
    world.fill(6)
    assert world.run(lanes=2, processes=2).pictures == {"done": 6}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("full", TargetTrouble, "no space left"),
        ("unsynced", TargetTrouble, "cannot be synced"),
        ("no child", PipelineError, "No module named 'no_such_module'"),
        ("defect", RuntimeError, "ZeroDivisionError: as asked"),
    ],
)
def test_the_trouble_of_a_lane_ends_the_run(
    world: World, fault: pytest.MonkeyPatch, name: str, error: type[Exception], text: str
) -> None:
    fault.setenv("FAULT", name)
    world.fill(24)
    with pytest.raises(error, match=text):
        world.run(lanes=2, processes=2)
    assert world.run().status == ExitStatus.OK
    assert len(world.tree()) == 24


@pytest.mark.slow
def test_a_read_that_never_returns_costs_its_picture(world: World, fault: pytest.MonkeyPatch) -> None:
    fault.setenv("FAULT", "hung read, given up")
    fault.setenv("VICTIM", "b/004")
    world.configure(world.text + "limits: {read: 30}\n")
    world.fill(12)
    summary = world.run(lanes=2, processes=2)
    assert (summary.status, summary.pictures) == (ExitStatus.FAILED, {"done": 11, "failed": 1})
    assert summary.failures[0].error == "read timed out: no answer within 30 s"


@pytest.mark.slow
def test_a_lane_that_somebody_stops_goes_on(world: World, fault: pytest.MonkeyPatch) -> None:
    fault.setenv("FAULT", "stopped read")
    world.fill(12)
    assert world.run(lanes=2, processes=2).pictures == {"done": 12}
    assert (world.root / "mark").read_bytes()


@pytest.mark.slow
def test_what_would_not_end_in_time_comes_back_from_lanes_as_pending(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Manifest, "pace", lambda self: 1e3)  # seconds a byte
    monkeypatch.setattr(Pace, "fits", lambda self, size: True)  # as the driver sees it
    world.fill(12)
    summary = world.run(lanes=2, processes=2, max_runtime=1000.0)
    assert (summary.status, summary.pictures) == (ExitStatus.TIME_UP, {"pending": 12})


class _Near(Messages):
    """What a driver has of a lane process, without the process."""

    code = None
    killed = False

    def wake(self) -> None:
        pass

    def kill(self) -> None:
        self.killed = True

    def reap(self, seconds: float) -> bool:
        return self.killed


def _stopped() -> None:
    raise Stopped("as asked", ExitStatus.TERMINATED)


@pytest.fixture
def far() -> Iterator[tuple[lane_processes.LaneProcesses, Messages]]:
    """A driver's side with one lane, and that lane's end of the socket. At its first tick it is asked to stop."""
    lanes = lane_processes.LaneProcesses([], Control(Pace(None, None), _stopped), (), lambda process, batches: None)
    mine, theirs = socket.socketpair()
    near, far = _Near(mine), Messages(theirs)
    lanes._lanes.append(lane_processes._Lane(cast("Peer", near), cast("LaneSetup", Mock(number=1))))
    yield lanes, far
    near.close()
    far.close()


def test_lanes_are_heard_while_the_plan_looks_for_long(far: tuple[lane_processes.LaneProcesses, Messages]) -> None:
    lanes, lane = far
    lane.send(Came((Outcome(reads=7),), 1, None))
    assert [outcome.reads for outcome in lanes.take()] == [7]


def test_trouble_that_is_heard_while_outcomes_are_taken_ends_the_run(
    far: tuple[lane_processes.LaneProcesses, Messages],
) -> None:
    lanes, lane = far
    lanes._control = Control(Pace(None, None), lambda: lanes._listen(0))
    lanes._ticked = 0.0
    lane.send(Ready())
    lane.send(Trouble(TargetTrouble("as asked")))
    with pytest.raises(TargetTrouble, match="as asked"):
        lanes._tick_if_due()


def test_a_run_that_is_told_to_stop_does_not_wait_for_lanes_to_start(
    far: tuple[lane_processes.LaneProcesses, Messages],
) -> None:
    lanes, _lane = far
    with pytest.raises(Stopped):
        lanes.__enter__()
    assert lanes._lanes == []


def test_the_last_word_of_a_lane_that_is_killed_is_heard(far: tuple[lane_processes.LaneProcesses, Messages]) -> None:
    lanes, lane = far
    lane.send(Came((Outcome(reads=7),), 1, None))
    lanes._kill()
    assert [outcome.reads for outcome in lanes.take()] == [7]


def _started(world: World) -> subprocess.Popen[str]:
    """A run whose lanes hang at the pictures in `b`, which it has come to."""
    env = {**os.environ, "FAULT": "hung read", "VICTIM": "b/", "MARK": str(world.root / "mark")}
    os.mkfifo(world.root / "mark")
    code = (
        "from pipeline.run import lane_processes; from tests.run import lane_faults; "
        "lane_processes.SERVE = lane_faults.SERVE; from pipeline.cli.main import main; main()"
    )
    words = ["run", str(world.config_path), "--lanes", "2", "--processes", "2"]
    reading = os.open(world.root / "mark", os.O_RDONLY | os.O_NONBLOCK)
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=env
    )
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    assert poll.poll(60_000)
    os.close(reading)
    return process


def _family(pid: int) -> list[int]:
    """The processes that `pid` has started, and those that they have."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(text.rpartition(")")[2].split()[1])
    family = [pid]
    for member in family:
        family += [child for child, parent in parents.items() if parent == member]
    return family[1:]


def _all_gone(pids: list[int], seconds: float) -> bool:
    end = time.monotonic() + seconds
    for pid in pids:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        gone = poll.poll(max(0, (end - time.monotonic()) * 1000))
        os.close(handle)
        if not gone:
            return False
    return True


def _holds_locks(pid: int, manifest: Path) -> bool:
    return any(
        os.path.realpath(f"/proc/{pid}/fd/{number}") == str(manifest.with_name(manifest.name + ".lock"))
        for number in os.listdir(f"/proc/{pid}/fd")
    )


def test_when_the_driver_is_killed_its_lanes_and_their_children_are_gone_and_so_are_its_locks(world: World) -> None:
    world.fill(12)
    run = _started(world)
    try:
        family = _family(run.pid)
        lanes = [pid for pid in family if _family(pid)]
        assert len(lanes) == 2
        manifest = Path(os.path.realpath(world.config.manifest))
        assert {pid: _holds_locks(pid, manifest) for pid in family} == {pid: pid in lanes for pid in family}
    finally:
        run.kill()
        run.communicate()
    assert _all_gone(family, _GONE)
    assert world.run(lanes=2, processes=2).status == ExitStatus.OK
    assert len(world.tree()) == 12
    assert world.leftovers() == []


@pytest.mark.parametrize("signals", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_run_that_is_told_to_stop_ends_its_lanes_in_time(world: World, signals: int) -> None:
    world.fill(12)
    run = _started(world)
    family = _family(run.pid)
    for _ in range(signals):
        run.send_signal(signal.SIGTERM)
        run.poll()
        select.select([], [], [], 0.1)  # two that come together count as one
    _out, said = run.communicate(timeout=_GONE)
    assert run.returncode == ExitStatus.TERMINATED
    assert _all_gone(family, _GONE)
    assert not re.search("Traceback|Error", said)
    assert world.run(lanes=2, processes=2).status == ExitStatus.OK
    assert len(world.tree()) == 12
    assert world.leftovers() == []
