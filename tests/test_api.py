"""`pipeline.api`: what other programs call."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import pipeline
from pipeline.api import Change, ConfigError, ExitStatus, Locked, PlannedFile, Progress, Reason, load_config, plan, run
from pipeline.manifest.lock import RunLock
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path, "source: photos\ntarget: out\nworkers: {threads: 1}\nrenditions: {thumb: {width: 32}}\n")
    world.put("a.jpg")
    world.put("b.jpg")
    return world


def test_a_plan_and_its_run_agree(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    config = load_config(str(world.config_path))
    would = plan(config)
    assert would.files[0] == PlannedFile("a.jpg", "thumb", "a-thumb.jpg", Reason.NEW)
    assert (len(would.files), would.pictures, would.unchanged) == (2, 2, 0)
    changes: list[Change] = []
    progress: list[Progress] = []
    summary = run(config, on_change=changes.append, on_progress=progress.append)
    assert (summary.status, summary.done, summary.failed) == (ExitStatus.OK, 2, 0)
    assert sorted(change.target for change in changes) == ["a-thumb.jpg", "b-thumb.jpg"]
    assert progress
    assert plan(config).files == ()
    assert plan(config, force=True).pictures == 2
    assert capfd.readouterr() == ("", ""), "nothing is printed"


def test_failures_are_values(world: World) -> None:
    world.put("c.jpg", b"no picture")
    summary = run(load_config(world.config_path))
    assert (summary.status, summary.failed) == (ExitStatus.FAILED, 1)
    assert summary.failures[0].source == "c.jpg"


def test_a_run_is_cancelled_cleanly_and_the_next_goes_on(world: World) -> None:
    config = load_config(world.config_path)
    assert run(config, cancelled=lambda: True).status == ExitStatus.INTERRUPTED
    assert run(config).done + plan(config).unchanged >= 2


def test_no_signal_handler_is_installed_while_it_runs(world: World) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    during: list[list[object]] = []
    run(
        load_config(world.config_path),
        on_progress=lambda _: during.append([signal.getsignal(number) for number in numbers]),
    )
    assert during
    assert all(handlers == before for handlers in during)


def test_it_works_in_the_thread_of_a_scheduler(world: World) -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(run, load_config(world.config_path)).result().done == 2


def test_what_a_callback_raises_comes_out_and_the_next_run_goes_on(world: World) -> None:
    config = load_config(world.config_path)
    with pytest.raises(ZeroDivisionError):
        run(config, on_progress=lambda _: 1 / 0)
    run(config)
    assert plan(config).unchanged == 2


def test_what_cannot_be_done_is_raised(world: World) -> None:
    config = load_config(world.config_path)
    run(config)
    with RunLock(config.manifest), pytest.raises(Locked):
        run(config)
    world.configure("source: photos\n")
    with pytest.raises(ConfigError, match="target: is missing"):
        load_config(world.config_path)


def test_importing_the_package_alone_imports_none_of_its_rooms() -> None:
    code = "import sys, pipeline; print([name for name in sys.modules if name.startswith(('pipeline.', 'pydantic'))])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
    assert (Path(pipeline.__file__).parent / "py.typed").exists()


def test_the_example_of_its_page_runs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(pipeline.__file__).parent.parent / "docs" / "api.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    world.config_path.rename(world.root / "pipeline.yaml")
    monkeypatch.chdir(world.root)
    exec(example, {})
    assert plan(load_config("pipeline.yaml")).unchanged == 2
