"""`scripts/power_cut.py`: a short form of it, and that it sees what it is there to see."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.checks import disk
from scripts.checks.disk import Disk

_SCRIPT = Path(__file__).parents[2] / "scripts" / "power_cut.py"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not disk.usable(), reason="needs root and loop devices"),
]


@pytest.mark.parametrize(("lanes", "keys"), [("0", ""), ("3", ""), ("0", "shards: webdataset, pictures: 2")])
def test_a_power_cut_leaves_nothing_torn_and_the_next_run_finishes_its_work(
    tmp_path: Path, lanes: str, keys: str
) -> None:
    options = ["--cuts", "2", "--at-least", "12", "--work", str(tmp_path / "work"), "--target", keys]
    done = subprocess.run(
        [sys.executable, str(_SCRIPT), *options, "--options", f"--lanes {lanes} --processes 3"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 cuts, 0 with a breach" in done.stdout


def test_what_was_not_synced_does_not_survive_a_cut(tmp_path: Path) -> None:
    with Disk.make(tmp_path / "image", tmp_path / "disk", 16) as made:
        (made.place / "written").write_bytes(b"x" * 100)
        made.cut()
    with made:
        assert not (made.place / "written").exists() or (made.place / "written").read_bytes() == b""
