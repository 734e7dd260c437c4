"""Stopped politely: by a signal, whatever hangs or spins meanwhile; and at once, by a second one."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pipeline.errors import ExitStatus, Stopped
from pipeline.manifest.lock import RunLock
from pipeline.manifest.store import Manifest
from pipeline.run import stop as stop_module
from pipeline.run.options import RunOptions
from pipeline.run.run import run
from pipeline.run.stop import Stop
from pipeline.sources.local import LocalSource
from tests.world import World

IN_TIME = 100  # seconds: it takes eight, on a machine that has time for it; a hang takes for ever


@contextmanager
def running(
    world: World, fault: str, *, ignore_hangup: bool = False, patience: str = "0"
) -> Iterator[subprocess.Popen[str]]:
    """A run in a session of its own, in which the fault has come; `open_gate` lets it go on."""
    mark, gate = world.root / "mark", world.root / "gate"
    for pipe in (mark, gate, world.root / "mark.never", world.root / "mark.heard"):
        os.mkfifo(pipe)
    command = [sys.executable, "-m", "tests.run.program", fault, "run", str(world.config_path)]
    if ignore_hangup:
        command = ["/bin/sh", "-c", 'trap "" HUP; exec "$@"', "sh", *command]
    victim = world.source / "spin.jpg"
    content = victim.read_bytes() if victim.exists() else b""
    environment = {
        "MARK": str(mark),
        "GATE": str(gate),
        "MISCHIEF": "spin always",
        "VICTIM": hashlib.sha256(content).hexdigest(),
        "PATIENCE": patience,
    }
    held = os.open(gate, os.O_RDWR)  # so that a byte waits for its reader
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        with open(mark, "rb", buffering=0) as told:
            assert told.read(1) == b"x"
            yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        os.close(held)


def open_gate(world: World) -> None:
    with open(world.root / "gate", "wb", buffering=0) as gate:
        gate.write(b"x")


def small(world: World, *names: str) -> World:
    world.configure(world.text + "workers: {threads: 2, processes: 1}\n")
    world.fill(4)
    for name in names:
        world.put(name)
    return world


def assert_left_in_order(world: World, status: int, left: int) -> None:
    """The end is recorded, nothing failed, nobody holds the lock, and the next run does what is left."""
    assert RunLock(world.config.manifest).holder() is None
    with Manifest.reader_at(world.config.manifest) as reader:
        (last,) = reader.runs(1)
    assert last.status == status
    assert "failed" not in last.counts
    summary = world.run()
    assert summary.failed == 0
    assert summary.done >= left
    assert world.leftovers() == []


@pytest.mark.parametrize(
    ("fault", "number", "patience"),
    [
        ("spin", signal.SIGTERM, "5"),
        pytest.param("hung read", signal.SIGHUP, "0", marks=pytest.mark.slow),
        pytest.param("hung scan", signal.SIGTERM, "0", marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_a_run_in_time_although_something_never_does(
    world: World, fault: str, number: signal.Signals, patience: str
) -> None:
    small(world, "spin.jpg", "hang.jpg")
    with running(world, fault, patience=patience) as process:
        process.send_signal(number)
        _, said = process.communicate(timeout=IN_TIME)
    assert process.returncode == 128 + number
    assert "Traceback" not in said
    assert_left_in_order(world, 128 + number, 1)


@pytest.mark.parametrize("fault", ["spin", "hung read", "hung scan"])
def test_a_second_ctrl_c_ends_it_at_once_and_nothing_has_failed(world: World, fault: str) -> None:
    small(world, "spin.jpg", "hang.jpg")
    with running(world, fault, patience="9000") as process:
        os.killpg(process.pid, signal.SIGINT)
        with open(world.root / "mark.heard", "rb", buffering=0) as heard:
            assert heard.read(1) == b"x"
        time.sleep(0.05)  # two within 0.02 s would count as one
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=IN_TIME)
    assert process.returncode == ExitStatus.INTERRUPTED
    assert "Traceback" not in said
    assert_left_in_order(world, ExitStatus.INTERRUPTED, 1)


def test_what_is_in_flight_when_the_signal_comes_is_finished(world: World) -> None:
    small(world, "gate.jpg")
    world.configure(world.text.replace("processes: 1", "processes: 0"))  # a child may take longer to start than it has
    with running(world, "gate", patience="600") as process:
        os.killpg(process.pid, signal.SIGINT)
        open_gate(world)
        _, said = process.communicate(timeout=IN_TIME)
    assert process.returncode == ExitStatus.INTERRUPTED
    assert "stopped by a signal" in said
    assert "gate-thumb.jpg" in world.tree()


def test_a_hangup_that_was_ignored_by_the_parent_is_ignored(world: World) -> None:
    small(world, "gate.jpg")
    with running(world, "gate", ignore_hangup=True) as process:
        process.send_signal(signal.SIGHUP)
        open_gate(world)
        _, said = process.communicate(timeout=IN_TIME)
    assert (process.returncode, said) == (0, "")
    assert len(world.tree()) == 5


def test_a_halted_process_fails_nothing_when_it_goes_on(world: World) -> None:
    small(world, "gate.jpg")
    world.configure(world.text + "limits: {seconds: 0.2, read: 2}\n")
    with running(world, "gate") as process:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        time.sleep(3)  # longer than any limit
        process.send_signal(signal.SIGCONT)
        time.sleep(0.3)  # shorter: time for a look at the clock
        open_gate(world)
        _, said = process.communicate(timeout=IN_TIME)
    assert (process.returncode, said) == (0, "")
    assert len(world.tree()) == 5


def test_two_signals_that_come_together_count_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    stop = Stop()
    stop.check()
    for later, hasty in ((0.0, False), (0.015, False), (0.019, False), (0.021, True)):
        now[0] += later
        stop.request(ExitStatus.INTERRUPTED)
        assert stop.hasty() is hasty
    stop.request(ExitStatus.TERMINATED)
    with pytest.raises(Stopped) as caught:
        stop.check()
    assert caught.value.status == ExitStatus.INTERRUPTED


def test_a_stop_by_ctrl_c_says_so() -> None:
    stop = Stop()
    stop.request(ExitStatus.INTERRUPTED)
    with pytest.raises(Stopped, match="^stopped by Ctrl-C$"):
        stop.check()


def test_a_signal_is_heard_while_the_source_has_not_answered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    small(world)
    unheard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: unheard.append(number))
    monkeypatch.setattr(LocalSource, "check", lambda _source: signal.raise_signal(signal.SIGTERM))
    try:
        summary = run(world.config, RunOptions())
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not unheard
    assert summary.status == ExitStatus.TERMINATED


def test_the_handlers_of_the_caller_come_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
    wakeup = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(wakeup)
    with stop_module.on_signals(Stop()):
        assert signal.getsignal(signal.SIGTERM) != before[0]
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)] == before
    assert signal.set_wakeup_fd(wakeup) == wakeup


def test_a_signal_right_after_the_first_does_not_interrupt_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Stop()
    monkeypatch.setattr(time, "sleep", lambda seconds: os.kill(os.getpid(), signal.SIGINT))
    with stop_module.on_signals(stop):
        os.kill(os.getpid(), signal.SIGINT)
        while stop.status is None:
            pass
    assert stop.status == ExitStatus.INTERRUPTED
