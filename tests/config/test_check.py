from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import check
from pipeline.config.load import load
from pipeline.errors import ConfigError

OPTIMIZED = "source: photos\ntarget: made\nrenditions:\n  a: {optimize: true}\n"


def test_what_needs_a_library_that_is_missing_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "OPTIMIZER", "no_such_library_anywhere")
    (tmp_path / "it.yaml").write_text(OPTIMIZED)
    with pytest.raises(ConfigError, match=r":4:17: renditions\.a\.optimize: needs the extra optimize, .*to have it: "):
        load(tmp_path / "it.yaml")


def test_with_the_library_there_is_nothing_to_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "OPTIMIZER", "json")
    (tmp_path / "it.yaml").write_text(OPTIMIZED)
    assert load(tmp_path / "it.yaml").specs[0].optimize
