"""The rules that `tests/conftest.py` lays on all tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).resolve().parents[1] / "conftest.py"
TESTS = """
import pytest

@pytest.mark.skipif(True, reason="needs strace")
def test_marked(): ...

def test_called():
    pytest.skip("needs chromium")

def test_not_a_tool():
    pytest.skip("Linux only")
"""


@pytest.mark.parametrize(
    ("surroundings", "outcome"),
    [({"CI": "true"}, "1 failed, 1 skipped, 1 error"), ({}, "3 skipped")],
    ids=["in CI", "elsewhere"],
)
def test_a_tool_that_is_missing_fails_in_ci_only(tmp_path: Path, surroundings: dict[str, str], outcome: str) -> None:
    shutil.copy(CONFTEST, tmp_path)
    (tmp_path / "test_them.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)]
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | surroundings
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert outcome in done.stdout.splitlines()[-1], done.stdout


def test_the_developers_surroundings_do_not_reach_a_test() -> None:
    assert Path(os.environ["HOME"]).name.startswith("pipeline-home-")
    assert os.environ["TZ"] == "UTC"
    assert not [name for name in os.environ if name.startswith(("PYTHON", "PIPELINE_", "XDG_", "GIT_"))]
