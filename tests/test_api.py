"""`pipeline.api`: what other programs call."""

from __future__ import annotations

import logging
import pickle
import re
import signal
import subprocess
import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import pipeline
from pipeline.api import Change, ConfigError, ExitStatus, Locked, PlannedFile, Progress, Reason, load_config, plan, run
from pipeline.manifest.lock import RunLock
from pipeline.sources.local import LocalSource
from pipeline.sources.source import Picture
from tests.world import World


def python_in(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path, "source: photos\ntarget: out\nworkers: {threads: 1}\nrenditions: {thumb: {width: 32}}\n")
    world.put("a.jpg")
    world.put("b.jpg")
    return world


@pytest.fixture
def quick(world: World) -> World:
    """The same without children."""
    world.configure(world.text.replace("threads: 1", "threads: 1, processes: 0"))
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


def test_the_package_gives_the_functions_in_any_order_of_imports(quick: World) -> None:
    code = f"""
import pipeline.run.options, pipeline.plan
from pipeline import load_config, plan, run
import inspect
from pipeline import api
config = load_config({str(quick.config_path)!r})
print(plan(config).pictures, run(config, limit=1).done, pipeline.run.options.__name__)
print(inspect.signature(run) == inspect.signature(api.run), inspect.signature(plan) == inspect.signature(api.plan))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "2 1 pipeline.run.options\nTrue True\n"
    with pytest.raises(AttributeError, match="has no attribute 'runs'"):
        pipeline.runs  # noqa: B018


def test_what_can_be_called_can_be_passed_to_other_processes() -> None:
    assert pickle.loads(pickle.dumps(pipeline.run)) is pipeline.run
    assert pickle.loads(pickle.dumps(pipeline.plan)) is pipeline.plan


def test_the_package_alone_has_its_functions() -> None:
    code = "import pipeline; print(callable(pipeline.plan), callable(pipeline.run), callable(pipeline.load_config))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True True True\n"


def test_a_cancelled_run_finishes_what_is_in_flight_and_the_next_makes_the_rest(
    quick: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, told, read = threading.Event(), threading.Event(), LocalSource.read

    def gated(self: LocalSource, source: str, *rest: Any) -> Picture:
        if source == "b.jpg":
            begun.set()
            assert told.wait(60)
        return read(self, source, *rest)

    def cancelled() -> bool:
        if begun.is_set():
            told.set()
        return begun.is_set()

    monkeypatch.setattr(LocalSource, "read", gated)
    quick.put("c.jpg")
    changes: list[Change] = []
    summary = run(load_config(quick.config_path), on_change=changes.append, cancelled=cancelled)
    assert summary.status == ExitStatus.INTERRUPTED
    assert sorted(change.target for change in changes) == list(quick.tree())
    assert {"a-thumb.jpg", "b-thumb.jpg"} <= {change.target for change in changes}
    assert not quick.leftovers()
    assert run(load_config(quick.config_path)).done == 3 - len(changes)


def test_progress_grows_to_all_that_was_expected(quick: World) -> None:
    seen: list[Progress] = []
    run(load_config(quick.config_path), on_progress=seen.append)
    assert [progress.jobs_done for progress in seen] == sorted(progress.jobs_done for progress in seen)
    assert (seen[-1].jobs_done, seen[-1].jobs_expected, seen[-1].pictures_done, seen[-1].failed) == (2, 2, 2, 0)
    assert seen[-1].bytes_done == seen[-1].bytes_expected


def _as_it_is(*given: object, **_options: object) -> object:
    """Stands for the decorators of schedulers, with options or without: the function is called as it is."""
    return given[0] if given and callable(given[0]) else _as_it_is


@pytest.fixture
def schedulers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the examples import of Airflow and Prefect, which are large and not needed."""
    parts: dict[str, dict[str, object]] = {
        "airflow": {},
        "airflow.exceptions": {"AirflowFailException": type("AirflowFailException", (Exception,), {})},
        "airflow.sdk": {"dag": _as_it_is, "task": _as_it_is},
        "prefect": {"flow": _as_it_is, "task": _as_it_is, "get_run_logger": logging.getLogger},
    }
    for name, parts_of_it in parts.items():
        module = types.ModuleType(name)
        module.__dict__.update(parts_of_it)
        monkeypatch.setitem(sys.modules, name, module)


PAGE = (Path(pipeline.__file__).parent.parent / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = dict(zip(("plain", "notebook", "airflow", "prefect"), python_in(PAGE), strict=True))


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_its_page_run(
    name: str, quick: World, monkeypatch: pytest.MonkeyPatch, schedulers: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    quick.config_path.rename(quick.root / "pipeline.yaml")
    monkeypatch.chdir(quick.root)
    exec(EXAMPLES[name], {})
    assert plan(load_config("pipeline.yaml")).unchanged == 2
    if name == "prefect":
        said = [
            record.getMessage() for record in caplog.records if record.name == "root"
        ]  # other libraries have theirs
        assert sorted(said) == ["made a-thumb.jpg", "made b-thumb.jpg"]


@pytest.mark.parametrize(("name", "said"), [("plain", SystemExit), ("airflow", Exception)])
def test_the_examples_tell_of_failures(
    name: str, said: type[BaseException], quick: World, monkeypatch: pytest.MonkeyPatch, schedulers: None
) -> None:
    quick.config_path.rename(quick.root / "pipeline.yaml")
    quick.put("c.jpg", b"no picture")
    monkeypatch.chdir(quick.root)
    with pytest.raises(said, match=r"c\.jpg: not a picture"):
        exec(EXAMPLES[name], {})
