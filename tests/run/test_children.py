"""What a run makes of children that die, hang or compute for ever: it costs one retry, or one picture."""

from __future__ import annotations

import hashlib
import uuid
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipeline.errors import ExitStatus
from pipeline.manifest.export import rows
from pipeline.manifest.lock import RunLock
from pipeline.manifest.query import ask
from pipeline.manifest.store import Manifest
from pipeline.run import rendering
from pipeline.run.options import RunOptions
from pipeline.run.prestart import Prestarted
from pipeline.run.run import run
from pipeline.workers import child_pool
from pipeline.workers.child import Setup
from pipeline.workers.process import Child, Zygote
from tests.world import World, jpeg


@pytest.fixture
def mischief(world: World, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    world.fill(8)
    victim = world.source / "b/004.jpg"
    monkeypatch.setenv("VICTIM", hashlib.sha256(victim.read_bytes()).hexdigest())
    monkeypatch.setenv("MARK", str(world.root / "mark"))
    monkeypatch.setattr(rendering, "_RENDER", "tests.run.renderers:misbehaving")
    return monkeypatch


@pytest.mark.parametrize("kind", ["kill once", "abort once"])
def test_a_child_that_dies_costs_one_retry_and_nothing_else(
    world: World, mischief: pytest.MonkeyPatch, kind: str
) -> None:
    mischief.setenv("MISCHIEF", kind)
    world.configure(world.text + "limits: {seconds: 0.5}\n")
    summary = world.run(processes=2, threads=4)
    assert (summary.pictures, summary.status) == ({"done": 8}, ExitStatus.OK)
    assert (world.root / "mark").read_bytes() == b"x"


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("kill always", "crashed"),
        ("abort always", "crashed"),
        ("hang once", "time limit: no answer"),  # a second try would hold up everyone for as long again
        ("spin always", "time limit"),
    ],
)
def test_a_picture_that_always_kills_its_child_or_silences_it_fails_alone_and_by_name(
    world: World, mischief: pytest.MonkeyPatch, kind: str, error: str
) -> None:
    mischief.setenv("MISCHIEF", kind)
    world.configure(world.text + "limits: {seconds: 0.5}\n")
    summary = world.run(processes=2, threads=4)
    assert (summary.pictures, summary.status) == ({"done": 7, "failed": 1}, ExitStatus.FAILED)
    (failure,) = summary.failures
    assert failure.source == "b/004.jpg"
    assert failure.error.startswith(error)
    assert len(world.tree()) == 7
    (world.source / "b/004.jpg").touch()
    assert world.run(processes=2, threads=4).pictures == {"known failure": 1, "unchanged": 7}


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("chatter always", "done"),
        ("chatter and refuse always", "failed"),
        ("chatter and abort always", "failed"),
        ("chatter and abort once", "done"),
    ],
)
def test_what_libraries_print_is_recorded_with_its_picture_failed_or_not_and_stays_out_of_exports(
    world: World, mischief: pytest.MonkeyPatch, kind: str, status: str, capfd: pytest.CaptureFixture[str]
) -> None:
    mischief.setenv("MISCHIEF", kind)
    world.run(processes=2)
    with Manifest.reader_at(world.config.manifest) as reader:
        measured = [row for row in rows(reader, measured=True) if row["source_warnings"]]
        told = list(ask(reader, "SELECT source, status, warnings FROM pictures WHERE warnings <> '[]'").rows)
    said = [] if "once" in kind else [("b/004.jpg", status, '["stderr: libfoo warning: bar"]')]
    assert told == said
    assert [row["source_warnings"] for row in measured] == [["stderr: libfoo warning: bar"]] * len(said)
    assert all(row["source_warnings"] == [] for row in world.export())
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("settled")
def test_a_run_without_work_starts_no_child_and_one_with_little_no_more_than_it_needs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Setup] = []

    def counted(setup: Setup, zygote: Zygote | None = None) -> Child:
        started.append(setup)
        return Child(setup, zygote)

    monkeypatch.setattr(child_pool, "Child", counted)
    world.fill(1)
    assert world.run(processes=2).pictures == {"done": 1}
    assert len(started) == 1
    assert world.run(processes=2).pictures == {"unchanged": 1}
    assert len(started) == 1
    for number in range(3):
        world.put(f"more/{number}.jpg", jpeg((number, 0, 0)))
    assert world.run(processes=2).pictures == {"done": 3, "unchanged": 1}
    assert len(started) == 3


@pytest.mark.parametrize("processes", [0, 1])
def test_the_record_of_a_run_says_how_its_children_were_confined(world: World, processes: int) -> None:
    world.fill(1)
    world.run(processes=processes)
    with Manifest.reader_at(world.config.manifest) as reader:
        (run,) = reader.runs()
    assert ("confinement" in run.settings) == bool(processes)


def test_a_first_run_is_served_by_children_that_were_prepared_for_it(world: World) -> None:
    world.fill(6)
    with rendering.prestarted(wanted=True, processes=2) as children:
        if children is None:
            pytest.skip("one CPU, or no zygote here")
        options = RunOptions(processes=2, threads=4)
        summary = run(world.config, options, prestarted=Prestarted(children))
        zygote = children._zygote
        assert zygote is not None
        assert zygote.has_spawned
        assert zygote.code is not None  # it was gone when the run was
    assert (summary.pictures, summary.status) == ({"done": 6}, ExitStatus.OK)


def environment(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:  # it has ended
        return b""


@pytest.mark.parametrize(
    "trouble",
    ["locked", *(pytest.param(name, marks=pytest.mark.slow) for name in ("wrong config", "no source", "no pictures"))],
)
def test_children_that_were_prepared_for_nothing_are_gone_with_the_run(world: World, trouble: str) -> None:
    status = ExitStatus.OK
    lock = RunLock(world.config.manifest)
    with ExitStack() as held:
        if trouble == "wrong config":
            world.configure(world.text + "wrong: key\n")
            status = ExitStatus.USAGE
        elif trouble == "no source":
            world.source.rmdir()
            status = ExitStatus.UNFINISHED
        elif trouble == "locked":
            world.target.mkdir()
            held.enter_context(lock)
            status = ExitStatus.LOCKED
        mark = world.env["LC_MARK"] = uuid.uuid4().hex
        done = world.process("run", str(world.config_path))
    assert (done.returncode, "Traceback" in done.stderr) == (status, False)
    assert not [process for process in Path("/proc").glob("[0-9]*") if mark.encode() in environment(process)]


def test_where_no_thread_can_be_had_nobody_is_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: child_pool.ChildPool) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(child_pool.ChildPool, "prepare", refused)
    monkeypatch.setattr("pipeline.workers.cpus.available", lambda: 2)
    with rendering.prestarted(wanted=True, processes=None) as children:
        assert children is None


@pytest.mark.parametrize(
    ("wanted", "processes", "cpus"), [(False, None, 2), (True, None, 1), (True, 0, 2), (True, 1, 2), (True, 2, 1)]
)
def test_nobody_is_prepared_where_it_cannot_pay(
    wanted: bool, processes: int | None, cpus: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.workers.cpus.available", lambda: cpus)
    with rendering.prestarted(wanted=wanted, processes=processes) as children:
        assert children is None
