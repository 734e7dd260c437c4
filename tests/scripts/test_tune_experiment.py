from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.settings import SourceSettings
from pipeline.model.spec import Limits
from scripts import tune_experiment
from scripts.tune_experiment import Load, Slow, examine
from tests.world import jpeg


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(8):
        (folder / f"{number}.jpg").write_bytes(jpeg((number, 80, 40)))
    return folder


def test_slow_storage_reads_the_same_bytes_after_its_wait(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("scripts.tune_experiment.time.sleep", waits.append)
    source = Slow(SourceSettings(pictures))
    source.delay = 5.0
    stat = source.stats("", ["3.jpg"])[0]
    assert stat is not None
    with source.read("3.jpg", stat, Limits()) as picture:
        assert picture.size == len((pictures / "3.jpg").read_bytes())
        assert picture.seconds >= 5.0
    assert waits == [5.0]


@pytest.mark.slow
def test_an_experiment_compares_tune_and_auto_with_the_best(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tune_experiment, "_THREADS", (1, 3))
    monkeypatch.setattr(tune_experiment, "_SECONDS", 0.2)
    came = examine(Load("some", pictures, "renditions: {a: {width: 32}}\n"), tmp_path, seconds=0.5, rounds=2)
    assert came.auto_ratio > 0
    assert came.chosen_ratio > 0
    assert came.best_rate > 0
    assert len(came.grid) >= 2
    assert max(came.ahead.values()) == 1.0
