"""The configs that come with the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.load import load
from pipeline.model.spec import Fit

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_reads_the_sample_data_and_writes_below_build(path: Path) -> None:
    config = load(path)
    assert config.sources[0].path == CONFIGS.parent / "sample_data"
    assert config.target.path == CONFIGS.parent / "build" / path.stem
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=./pipeline.schema.json\n")


def test_there_are_four() -> None:
    assert [path.stem for path in sorted(CONFIGS.glob("*.yaml"))] == ["archive", "dataset", "responsive", "thumbs"]


def test_training_crops_are_square_and_of_one_size() -> None:
    specs = load(CONFIGS / "dataset.yaml").specs
    assert all(spec.width == spec.height and spec.fit is Fit.COVER and spec.enlarge for spec in specs)
