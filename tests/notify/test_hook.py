from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.config.settings import CommandSettings, On
from pipeline.errors import ExitStatus
from pipeline.notify import hook
from tests.notify.conftest import BAD, GOOD, RUN


def python(code: str, on: On = On.ALWAYS) -> CommandSettings:
    return CommandSettings((sys.executable, "-c", code), on, 60)


@pytest.mark.parametrize(
    ("on", "good", "bad"), [(On.ALWAYS, True, True), (On.FAILURE, False, True), (On.SUCCESS, True, False)]
)
def test_it_is_called_when_it_is_wanted(on: On, good: bool, bad: bool) -> None:
    settings = python("", on)
    assert (hook.wanted(settings, GOOD), hook.wanted(settings, BAD)) == (good, bad)
    assert hook.wanted(settings, replace(GOOD, status=ExitStatus.TIME_UP)) == good


def test_it_finds_the_outcome_in_its_environment_and_on_its_input(tmp_path: Path) -> None:
    code = "import json, os, sys; json.dump([dict(os.environ), json.load(sys.stdin)], open('told', 'w'))"
    assert hook.call(python(code), tmp_path, replace(BAD, sentence="b\xe9\udcff: 1 failed"), 60) == ""
    environment, told = json.loads((tmp_path / "told").read_text())
    assert {name: environment[name] for name in environment if name.startswith("PIPELINE_")} == {
        "PIPELINE_CONFIG": "/srv/photos/thumbs.yaml",
        "PIPELINE_NAME": "thumbs",
        "PIPELINE_OUTCOME": "failure",
        "PIPELINE_RUN": RUN,
        "PIPELINE_STATUS": "1",
        "PIPELINE_SUMMARY": "b\xe9\\udcff: 1 failed",
    }
    assert told["failures"] == list(BAD.failures)
    assert environment["PATH"] == os.environ["PATH"]


def test_a_relative_program_is_beside_the_config(tmp_path: Path) -> None:
    script = tmp_path / "tell.sh"
    script.write_text('#!/bin/sh\necho "$1" > told\n')
    script.chmod(0o755)
    assert hook.call(CommandSettings(("./tell.sh", "it's; $HOME")), tmp_path, BAD, 60) == ""
    assert (tmp_path / "told").read_text() == "it's; $HOME\n"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise SystemExit(7)", "ended with status 7"),
        ("import os; os.kill(os.getpid(), 15)", "killed by SIGTERM"),
        ("import sys; print('a\\nno \\x1b[31mroute\\n'); sys.exit(1)", "ended with status 1: no \\x1b[31mroute"),
        ("print('x' * 5_000_000)", ""),
    ],
)
def test_a_failing_command_is_one_line(tmp_path: Path, code: str, expected: str) -> None:
    assert hook.call(python(code), tmp_path, BAD, 60) == (f"notify.command: {expected}" if expected else "")


def test_a_command_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    text = hook.call(CommandSettings(("./no\nsuch",)), tmp_path, BAD, 60)
    assert text == "notify.command: cannot start ./no\\nsuch: No such file or directory"


def test_a_command_that_hangs_is_killed_with_what_it_started(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "alive")
    reading = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    # both hold the FIFO open for writing; it ends when the last of them is gone
    words = ("sh", "-c", "exec 3>alive; sleep 1000 & sleep 1000")
    assert hook.call(CommandSettings(words), tmp_path, BAD, 0.5) == "notify.command: killed after 0.5 s"
    os.set_blocking(reading, True)
    assert os.read(reading, 1) == b""
    os.close(reading)
