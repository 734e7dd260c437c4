from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.sources.local import LocalSource
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every source counts as old: a ctime cannot be set, and waiting two seconds in each test would cost minutes."""
    monkeypatch.setattr(LocalSource, "settled", lambda self, source, stat, now: True)
