"""`scripts/bench`: its arithmetic, and that every scenario still runs."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from scripts.benchmarks.chart import svg
from scripts.benchmarks.figures import Result, Spread, as_json, compared, table
from scripts.benchmarks.folders import photos, repeated
from scripts.benchmarks.measure import Cost
from scripts.benchmarks.slow import slowed

_BENCH = (sys.executable, "-I", "-m", "scripts.benchmarks")


def _result(mine: list[float], theirs: list[float], base: str | None = None) -> Result:
    costs = {"pipeline": [Cost(wall, 1.0) for wall in mine], "peer": [Cost(wall, 2.0) for wall in theirs]}
    return Result("300", "a title", 500, costs, base)


def _file(result: Result) -> dict[str, Any]:
    measured: dict[str, Any] = json.loads(json.dumps(as_json([result], {})))
    return measured


def test_a_ratio_is_taken_within_each_round_so_that_a_slow_minute_hits_both_sides() -> None:
    ratios = _result([1.0, 10.0, 2.0], [2.0, 20.0, 4.0]).ratios
    assert ratios["peer"]["wall"] == Spread(0.5, 0.5, 0.5)
    assert ratios["peer"]["cpu"] == Spread(0.5, 0.5, 0.5)


def test_with_a_base_each_one_is_held_against_it() -> None:
    assert _result([1.0], [3.0], base="pipeline").ratios == {"peer": {"wall": Spread(3, 3, 3), "cpu": Spread(2, 2, 2)}}


def test_the_table_names_the_peer_the_ratio_and_its_spread() -> None:
    text = table(_result([1.0, 2.0, 3.0], [2.0, 2.0, 2.0]))
    assert "500 pictures, 3 rounds" in text
    assert "1.00 (0.50-1.50)" in text


@pytest.mark.parametrize(
    ("before", "now", "verdict", "worse"),
    [
        ([1.0, 1.1, 1.2], [1.5, 1.6, 1.7], "worse", True),
        ([1.0, 1.1, 1.2], [1.2, 1.2, 1.3], "", False),  # within the spread
        ([1.5, 1.6, 1.7], [1.0, 1.1, 1.2], "better", False),
        ([1.0, 1.0, 1.0], [0.5, 1.3, 1.6], "", False),  # the new spread is wide
    ],
)
def test_a_ratio_is_worse_when_it_grew_by_more_than_its_spread(
    before: list[float], now: list[float], verdict: str, worse: bool
) -> None:
    peer = [1.0, 1.0, 1.0]
    text, said = compared(_file(_result(before, peer)), _file(_result(now, peer)))
    assert said is worse
    assert (text.splitlines()[1].split()[-1] == verdict) is bool(verdict)


def test_the_picture_has_a_bar_for_each_competitor_and_escapes_what_it_is_given() -> None:
    drawn = svg(_file(_result([1.0, 1.0], [2.0, 4.0])) | {})
    assert drawn.count('rx="2"') == 2
    assert ">3.00<" not in drawn  # the median of the ratios in each round, not the ratio of the medians
    assert ">2.67<" in drawn  # 1 over the median of 1/2 and 1/4
    hostile = _file(_result([1.0], [2.0]))
    hostile["scenarios"]["300"]["title"] = "<script>"
    assert "<script>" not in svg(hostile)
    ElementTree.fromstring(svg(hostile))


def test_files_without_a_scenario_in_common_are_not_worse() -> None:
    text, worse = compared({"scenarios": {}}, _file(_result([1.0], [1.0])))
    assert not worse
    assert "no scenario" in text


def test_repeated_pictures_are_whole_and_all_different(tmp_path: Path) -> None:
    folder = repeated(photos(tmp_path, small=True), tmp_path / "many", 7)
    contents = [path.read_bytes() for path in folder.iterdir()]
    assert len(contents) == len(set(contents)) == 9


def test_an_unknown_scenario_is_a_usage_error() -> None:
    done = subprocess.run([*_BENCH, "fast"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "there is no scenario 'fast'" in done.stderr


@pytest.mark.slow
def test_every_scenario_still_runs(tmp_path: Path) -> None:
    report, picture = tmp_path / "report.json", tmp_path / "picture.svg"
    done = subprocess.run(
        [*_BENCH, "--smoke", "--cache", str(tmp_path / "cache"), "--json", str(report), "--chart", str(picture)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    scenarios = json.loads(report.read_text())["scenarios"]
    assert set(scenarios) == {"startup", "scaling-300", "300", "family", "dataset", "tiny", "driver", "nothing-to-do"}
    assert scenarios["300"]["ratios"]["pillow"]["wall"]["middle"] > 0
    assert not list((tmp_path / "cache" / "work").iterdir())  # nothing is left behind
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")


@pytest.mark.slow
def test_a_regression_since_an_old_file_is_seen_and_is_the_status(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    quick = [*_BENCH, "300", "--smoke", "--only", "pipeline", "--only", "pillow", "--cache", str(tmp_path / "cache")]
    subprocess.run([*quick, "--json", str(report)], capture_output=True, check=True)
    old = json.loads(report.read_text())
    for kind, status in (("worse", 1), ("better", 0)):
        value = 1e-6 if kind == "worse" else 1e6
        old["scenarios"]["300"]["ratios"]["pillow"] = {
            kind: {"middle": value, "low": value, "high": value} for kind in ("wall", "cpu")
        }
        report.write_text(json.dumps(old))
        done = subprocess.run([*quick, "--compare", str(report)], capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stderr
        assert kind in done.stdout


def test_a_program_that_makes_too_few_files_does_not_count_as_fast(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    done = subprocess.run(
        [*_BENCH, "300", "--folder", str(folder), "--rounds", "1", "--only", "pillow", "--cache", str(tmp_path / "c")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "scripts/bench: " in done.stderr


def test_files_of_a_slow_folder_are_opened_in_the_end_and_it_is_known_since_when_they_were_asked_for(
    tmp_path: Path,
) -> None:
    (tmp_path / "a").write_text("text")
    with ExitStack() as slow:
        try:
            asked = slow.enter_context(slowed(tmp_path, 0.01))
        except OSError as error:
            pytest.skip(str(error))
        assert asked.first == math.inf
        read = subprocess.run(["cat", tmp_path / "a", tmp_path / "a"], capture_output=True, check=True)
        assert read.stdout == b"texttext"
    assert asked.first < time.monotonic()
    assert (tmp_path / "a").read_text() == "text"
