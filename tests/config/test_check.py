from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import check
from pipeline.config.load import load
from pipeline.errors import ConfigError
from pipeline.model.shape import Gravity


def test_what_needs_a_library_that_is_missing_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "it.yaml").write_text("source: photos\ntarget: made\nrenditions:\n  a: {gravity: faces}\n")
    monkeypatch.setattr(check, "DETECTOR", "json")
    assert load(tmp_path / "it.yaml").specs[0].gravity is Gravity.FACES
    monkeypatch.setattr(check, "DETECTOR", "no_such_library_anywhere")
    with pytest.raises(ConfigError, match=r":4:16: renditions\.a\.gravity: needs the extra faces, .*to have it: "):
        load(tmp_path / "it.yaml")


@pytest.mark.parametrize(("limits", "read"), [("", 130.0), ("limits: {read: 5}", 5.0), ("limits: {scans: 9}", 130.0)])
def test_the_retries_of_a_store_are_not_cut_short_unless_the_config_says_so(
    tmp_path: Path, limits: str, read: float
) -> None:
    config = tmp_path / "it.yaml"
    config.write_text(
        f"source: {{url: s3://bucket, retry: 90, silence: 20}}\ntarget: out\nrenditions: {{a: {{}}}}\n{limits}\n"
    )
    assert load(config).limits.read == read
