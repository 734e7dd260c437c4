"""Every receiver of notices in the config is told of every end, and of the right one."""

from __future__ import annotations

import functools
import json
import os
import re
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import main
from pipeline.errors import ExitStatus
from pipeline.manifest.lock import RunLock
from pipeline.manifest.store import Manifest
from pipeline.notify.ping import Ping
from pipeline.run.options import Begun
from pipeline.run.tally import Summary
from pipeline.targets import output
from tests.notify.conftest import Service, service  # noqa: F401 - a fixture
from tests.world import World, jpeg

NOTIFY = """\
notify:
  ping: {url_env: HC_URL}
  command: {run: [sh, -c, 'env > "hook-$PIPELINE_STATUS"'], on: always}
  metrics: thumbs.prom
  status_file: status.json
"""


@pytest.fixture
def told(world: World) -> World:
    world.configure(world.text + NOTIFY + "workers: {threads: 2, processes: 0}\n")
    world.fill(2)
    return world


def status(world: World) -> dict[str, Any]:
    written: dict[str, Any] = json.loads((world.root / "status.json").read_text())
    return written


def metric(world: World, name: str) -> float:
    text = (world.root / "thumbs.prom").read_text()
    match = re.search(rf"^pipeline_{name}\S* (\S+)$", text, re.MULTILINE)
    assert match, text
    return float(match[1])


def run(world: World, monkeypatch: pytest.MonkeyPatch, url: str, *options: str) -> int:
    """In this process, as `main` does."""
    monkeypatch.setenv("HC_URL", url)
    return main.status_of(["run", str(world.config_path), *options])


def paths(here: Service) -> list[str]:
    return [re.sub(r"\?.*", "", path) for _, path, _ in here.asked]


def test_a_good_run_a_bad_one_and_one_that_cannot_begin_are_told_as_what_they_are(
    told: World,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    service: Service,  # noqa: F811
) -> None:
    assert run(told, monkeypatch, service.url) == 0
    assert (status(told)["status"], status(told)["pictures"]) == (0, {"done": 2})
    success = metric(told, "last_success_timestamp_seconds")
    assert success == status(told)["ended"] == status(told)["last_success"]

    told.put("bad.jpg", jpeg()[:300])
    assert run(told, monkeypatch, service.url) == 1
    assert status(told)["errors"] == {"truncated": 1}
    assert abs(status(told)["last_success"] - success) < 1
    assert status(told)["sentence"].startswith("thumbs: ")
    assert metric(told, "last_run_exit_status") == 1
    with Manifest.reader_at(told.config.manifest) as reader:
        assert metric(told, "last_success_timestamp_seconds") == reader.runs(2)[1].ended
        assert status(told)["run"] == reader.runs(1)[0].run

    told.source.rename(told.root / "elsewhere")
    assert run(told, monkeypatch, service.url) == 3
    assert "photos" in status(told)["sentence"]
    assert status(told)["run"] == ""
    assert abs(metric(told, "last_success_timestamp_seconds") - success) < 1

    assert paths(service) == ["/s3cret/start", "/s3cret", "/s3cret/start", "/s3cret/1", "/s3cret/3"]
    assert "bad.jpg: truncated" in service.asked[3][2]
    assert "photos" in service.asked[4][2]
    assert sorted(name for name in os.listdir(told.root) if name.startswith("hook")) == ["hook-0", "hook-1", "hook-3"]
    assert "s3cret" not in "".join(path.read_text() for path in told.root.glob("hook-*"))
    assert "notify" not in capsys.readouterr().err


def test_a_run_that_breaks_off_tells_what_it_came_to(
    told: World,
    monkeypatch: pytest.MonkeyPatch,
    service: Service,  # noqa: F811
) -> None:
    told.put("a/0.jpg", jpeg()[:300])

    def full(*_arguments: object, **_named: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output, "copy", full)
    assert run(told, monkeypatch, service.url, "--threads", "1") == 3
    assert status(told)["errors"] == {"truncated": 1}
    assert "no space left" in status(told)["sentence"]
    assert paths(service) == ["/s3cret/start", "/s3cret/3"]


def test_a_run_that_finds_another_at_work_tells_nobody(
    told: World,
    monkeypatch: pytest.MonkeyPatch,
    service: Service,  # noqa: F811
) -> None:
    assert run(told, monkeypatch, service.url) == 0
    before = {path: path.read_bytes() for path in (told.root / "status.json", told.root / "thumbs.prom")}
    service.asked.clear()
    with RunLock(told.config.manifest):
        assert run(told, monkeypatch, service.url) == ExitStatus.LOCKED
    assert before == {path: path.read_bytes() for path in before}
    assert service.asked == []


def test_a_defect_is_told_too(
    told: World,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    service: Service,  # noqa: F811
) -> None:
    def defect(*_arguments: object) -> None:
        raise RuntimeError("oh")

    monkeypatch.setattr("pipeline.run.run._sweep", defect)
    assert run(told, monkeypatch, service.url) == 3
    assert status(told)["sentence"] == "thumbs: could not finish: RuntimeError: oh"
    assert "s3cret" not in capsys.readouterr().err


def test_a_run_that_was_stopped_is_told_with_what_it_left(
    told: World,
    monkeypatch: pytest.MonkeyPatch,
    service: Service,  # noqa: F811
) -> None:
    monkeypatch.setattr("pipeline.run.run._sweep", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    assert run(told, monkeypatch, service.url) == ExitStatus.TERMINATED
    assert (status(told)["status"], status(told)["succeeded"]) == (143, False)
    assert paths(service)[-1] == "/s3cret/143"


def test_a_run_that_is_given_up_where_it_hangs_is_told_from_another_thread(told: World) -> None:
    from pipeline.cli.telling import Telling

    telling = Telling(told.config)
    telling.begun(Begun("0" * 32, lambda: Summary(pictures={"done": 7})))
    thread = threading.Thread(target=telling.given_up, args=(ExitStatus.TERMINATED,))
    thread.start()
    thread.join()
    assert (status(told)["status"], status(told)["pictures"]) == (143, {"done": 7})
    assert "given up" in status(told)["sentence"]


def test_the_secret_is_in_no_word_whatever_goes_wrong(
    told: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("pipeline.notify.notices.Ping", functools.partial(Ping, pauses=()))
    for url in ("http://127.0.0.1:1/s3cret", "gopher://x/s3cret", "http://no such host/s3cret"):
        assert run(told, monkeypatch, url, "-v") == 0
        said = capsys.readouterr()
        assert "pipeline: notify.ping: " in said.err
        assert "s3cret" not in said.err + said.out
    assert "s3cret" not in "".join(path.read_text() for path in told.root.iterdir() if path.is_file())


def test_a_missing_variable_is_one_line_and_no_failure(
    told: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HC_URL", raising=False)
    assert main.status_of(["run", str(told.config_path)]) == 0
    assert capsys.readouterr().err == "pipeline: notify.ping: the environment variable HC_URL is not set\n"
