"""When a watch starts a run, and how it ends. Most runs here are small shell scripts that tell what they were given."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from pipeline.errors import ConfigError, ExitStatus
from pipeline.run.watching import watch
from pipeline.run.watching.events import Wakes, identity
from pipeline.run.watching.watch import Watch, WatchOptions
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.put("a.jpg")
    return world


def watched(world: World, script: str, options: WatchOptions | None = None) -> tuple[ExitStatus, list[str]]:
    """The status of a watch whose runs are `script`, which ends it by a signal to its parent, and what was said."""
    said: list[str] = []
    run = ["sh", "-c", script, "run"]
    watch = Watch(lambda: world.config, run, options or WatchOptions(settle=0, poll=0.01), said.append)
    return watch.to_its_end(), said


def noted(world: World) -> list[str]:
    return (world.root / "notes").read_text().split()


def script(world: World, *lines: str) -> str:
    """A run that notes a word for itself and then does `lines`; `$runs` is the number of runs so far."""
    notes = world.root / "notes"
    return "; ".join([f"echo run >> '{notes}'", f"runs=$(wc -l < '{notes}')", *lines])


def test_a_run_that_could_not_finish_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_FIRST_RETRY", 0.01)
    status, said = watched(world, script(world, "[ $runs -lt 3 ] && exit 3", "kill -TERM $PPID"))
    assert status == ExitStatus.TERMINATED
    assert noted(world) == ["run"] * 3
    assert said == ["the run ended with status 3; the next one begins in 0.0 s"] * 2


def test_a_run_that_was_out_of_time_is_followed_by_another(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_GOES_ON", 0.01)
    status, said = watched(world, script(world, "[ $runs -lt 3 ] && exit 4", "kill -TERM $PPID"))
    assert (status, said) == (ExitStatus.TERMINATED, [])
    assert noted(world) == ["run"] * 3


def test_a_watch_needs_no_folder_for_temporary_files(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(world.root / "missing"))
    assert watched(world, script(world, "kill -TERM $PPID"))[0] == ExitStatus.TERMINATED


def test_a_run_that_was_killed_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_FIRST_RETRY", 0.01)
    status, said = watched(world, script(world, "[ $runs -lt 2 ] && kill -KILL $$", "kill -HUP $PPID"))
    assert status == ExitStatus.HANGUP
    assert len(said) == 1


def test_pictures_that_were_too_young_are_taken_by_another_run(world: World) -> None:
    deferred = """echo '{"pictures": {"deferred": 1}}'"""
    status, said = watched(world, script(world, f"[ $runs -lt 3 ] && {deferred} && exit 0", "kill -TERM $PPID"))
    assert (status, said) == (ExitStatus.TERMINATED, [])
    assert noted(world) == ["run"] * 3


def test_a_change_during_a_run_is_seen_after_it(world: World) -> None:
    late = f"cp '{world.source}/a.jpg' '{world.source}/b.jpg'"
    status, _said = watched(world, script(world, f"[ $runs -lt 2 ] && {late} && exit 0", "kill -INT $PPID"))
    assert status == ExitStatus.INTERRUPTED
    assert noted(world) == ["run"] * 2


def test_without_a_change_there_is_a_run_at_the_interval(world: World) -> None:
    options = WatchOptions(settle=0, poll=3600, interval=0.01)
    watched(world, script(world, "[ $runs -lt 3 ] && exit 0", "kill -TERM $PPID"), options)
    assert noted(world) == ["run"] * 3


def test_a_signal_is_passed_on_and_the_run_ended_first(world: World) -> None:
    last = f"trap \"echo ended >> '{world.root}/notes'; exit 143\" TERM; kill -TERM $PPID; while :; do sleep 0.01; done"
    status, _said = watched(world, script(world, last))
    assert status == ExitStatus.TERMINATED
    assert noted(world) == ["run", "ended"]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_config_that_became_wrong_ends_the_watch(world: World) -> None:
    wrong = f"echo nonsense > '{world.config_path}'"
    with pytest.raises(ConfigError):
        watched(world, script(world, wrong, "exit 2"))
    assert noted(world) == ["run"]


def test_where_nothing_is_told_it_looks_and_says_so_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "why_none", lambda folders: "it is a network file system")
    monkeypatch.setattr(watch, "_POLL", 0.01)
    late = f"cp '{world.source}/a.jpg' '{world.source}/b.jpg'"
    body = script(world, f"[ $runs -lt 2 ] && {late} && exit 0", "kill -TERM $PPID")
    status, said = watched(world, body, WatchOptions(settle=0))
    assert status == ExitStatus.TERMINATED
    assert said == ["it is a network file system: looks every 0.0 s instead"]


class _Limited:
    """Events that the kernel's limit of watches ends at once."""

    trouble = "the limit is reached"

    def __init__(self, folders: Sequence[Path], _targets: Sequence[Path], wakes: Wakes) -> None:
        self.identity = identity(folders)
        wakes.changed()

    def end(self) -> None:
        pass


def test_a_limit_of_watches_is_told_once_and_not_with_every_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "why_none", lambda folders: "")
    monkeypatch.setattr(watch, "Events", _Limited)
    monkeypatch.setattr(watch, "_POLL", 0.01)
    body = script(world, "[ $runs -ge 4 ] && kill -TERM $PPID")
    _status, said = watched(world, f"{body}; exit 0", WatchOptions(settle=0, interval=0.01))
    assert said == ["the limit is reached: looks every 0.0 s instead"]


def test_the_longer_time_to_settle_counts(world: World) -> None:
    world.configure(world.text.replace("source: photos", "source: {path: photos, settle: 7}"))
    watched(world, f"echo \"$@\" > '{world.root}/notes'; kill -TERM $PPID", WatchOptions(settle=2, poll=1))
    assert noted(world) == ["--settle", "7.000"]


@contextmanager
def command(world: World, *options: str) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """`pipeline watch` in a process of its own, and what it says."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "watch", str(world.config_path), "-v", *options],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process, process.stderr:
        try:
            yield process, process.stderr
        finally:
            process.kill()


def until(lines: IO[str], text: str) -> None:
    """Read what is said until a line has `text`."""
    seen = []
    for line in lines:
        seen.append(line)
        if text in line:
            return
    raise AssertionError(seen)


def test_what_arrives_is_rendered_and_sigterm_ends_it_cleanly(world: World) -> None:
    pytest.importorskip("watchfiles", reason="needs watchfiles")
    beside = "manifest: records.sqlite\n"  # in the folder that holds the source, as `init --for web` has it
    world.configure(world.text + "workers: {processes: 0, threads: 2}\n" + beside)
    with command(world, "--settle", "0") as (process, said):
        until(said, "1 picture done")
        part = world.put("b.jpg.part")
        os.rename(part, world.source / "b.jpg")
        until(said, "1 picture done (1 rendition), 1 unchanged")
        world.put("deep/er/c.jpg")
        until(said, "1 picture done (1 rendition), 2 unchanged")
        process.send_signal(signal.SIGTERM)
        assert process.wait() == ExitStatus.TERMINATED
        assert "Traceback" not in said.read()
    assert sorted(world.tree()) == ["a-thumb.jpg", "b-thumb.jpg", "deep/er/c-thumb.jpg"]
    assert world.leftovers() == []


def test_a_wrong_config_ends_the_command_with_status_2(world: World) -> None:
    world.configure("source: photos\n")
    with command(world) as (process, said):
        until(said, "target")
        assert process.wait() == ExitStatus.USAGE
