"""`.ci/run` tests on the oldest and the newest Python that the machine has."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

_RUN = Path(__file__).parents[2] / ".ci" / "run"
_TOOLS = ["bash", "cat", "dirname", "mkdir", "mktemp", "readlink", "rm", "sort", "tar"]
_STAND_INS = re.findall(r"\[([\w.-]+)\]=", _RUN.read_text())  # the commands that it looks for


def _script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def _python(path: Path, version: str) -> None:
    """What stands for an interpreter prints `version` and its path, or nothing where it is "unfit"."""
    _script(path, "exit 1" if version == "unfit" else f"echo {version} {path}")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Its `scripts/test` says in which folder, for which Python and with which arguments it was called."""
    root, tools = tmp_path / "check out", tmp_path / "bin"
    (root / ".ci").mkdir(parents=True)
    shutil.copy2(_RUN, root / ".ci" / "run")
    _script(
        root / "scripts" / "test", 'cd "${0%/*}/.."; echo "test: $PIPELINE_PYTHON [$*] $(test -e .venv && echo .venv)"'
    )
    tools.mkdir()
    for name in _TOOLS:
        program = shutil.which(name)
        assert program
        (tools / name).symlink_to(program)
    for name in _STAND_INS:
        _script(tools / name, "exit 1")
    return root


def _run(checkout: Path, expected: int = 0) -> list[str]:
    tools = checkout.parent / "bin"
    done = subprocess.run(
        [checkout / ".ci" / "run"],
        env={"PATH": str(tools), "HOME": str(checkout.parent), "TMPDIR": str(checkout.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr if not expected else "") == (expected, "")
    assert not list(checkout.parent.glob("tmp.*")), "the copy was left behind"
    return (done.stderr if expected else done.stdout).splitlines()


def test_the_slow_tests_are_for_the_oldest_python_and_all_others_for_the_newest_too(checkout: Path) -> None:
    tools, pyenv = checkout.parent / "bin", checkout.parent / ".pyenv" / "versions"
    _python(tools / "python3", "3.12.4")
    _python(tools / "python3.13", "unfit")
    for version in ("3.9.1", "3.11.7", "3.13.0"):
        _python(pyenv / version / "bin" / "python3", "unfit" if version == "3.9.1" else version)
    _python(checkout / ".venv" / "bin" / "python", "3.11.9")  # the environment at hand is that of the oldest
    assert _run(checkout) == [
        "== .ci/run: Python 3.11.7: scripts/test --slow",
        f"test: {pyenv}/3.11.7/bin/python3 [--slow] .venv",
        "== .ci/run: Python 3.13.0: scripts/test ",
        f"test: {pyenv}/3.13.0/bin/python3 [] ",
    ]


def test_one_python_is_enough(checkout: Path) -> None:
    _python(checkout.parent / "bin" / "python3", "3.12.4")
    assert _run(checkout) == [
        "== .ci/run: Python 3.12.4 is the only one here",
        "== .ci/run: Python 3.12.4: scripts/test --slow",
        f"test: {checkout.parent}/bin/python3 [--slow] ",
    ]


def test_an_environment_of_another_python_stays_as_it_is(checkout: Path) -> None:
    for version in ("3.11.2", "3.13.0"):
        _python(checkout.parent / ".pyenv" / "versions" / version / "bin" / "python3", version)
    _python(checkout / ".venv" / "bin" / "python", "3.12.1")
    lines = _run(checkout)
    assert [line for line in lines if line.endswith(".venv")] == []
    assert len(lines) == 4


def test_no_python_that_will_do_is_one_line(checkout: Path) -> None:
    _python(checkout.parent / "bin" / "python3", "unfit")
    (line,) = _run(checkout, expected=1)
    assert line.startswith(".ci/run: there is no Python 3.11 or newer")


def test_a_failure_on_the_oldest_is_a_failure(checkout: Path) -> None:
    _python(checkout.parent / "bin" / "python3", "3.11.2")
    _python(checkout.parent / "bin" / "python3.13", "3.13.0")
    _script(checkout / "scripts" / "test", 'echo "failed: $PIPELINE_PYTHON" >&2; exit 1')
    assert _run(checkout, expected=1) == [f"failed: {checkout.parent}/bin/python3"]
