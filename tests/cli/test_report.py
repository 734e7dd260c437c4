"""`pipeline report`, in this process."""

from __future__ import annotations

import pytest

from pipeline.cli.main import status_of
from tests.world import World


def test_a_report_says_where_it_is_on_a_terminal_only(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put("a.jpg")
    world.run()
    assert status_of(["report", str(world.config_path)]) == 0
    assert capsys.readouterr() == ("", "")  # cron would mail it each night
    monkeypatch.setattr("pipeline.cli.report.on_terminal", lambda: True)
    assert status_of(["report", str(world.config_path)]) == 0
    assert capsys.readouterr().err.startswith(f"wrote {world.root / 'thumbs-report.html'} (")
