"""`pipeline watch`, without waiting: the runs that it would start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.cli.main import status_of
from pipeline.errors import ExitStatus
from pipeline.run.watching import watch
from tests.world import World


def test_a_config_whose_name_begins_with_a_dash_is_no_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Once:
        """Carries out one run, in this process."""

        def __init__(self, read_config: object, run: Sequence[str], *_: object) -> None:
            del read_config
            self._run = run

        def to_its_end(self) -> int:
            return status_of([*self._run[self._run.index("run") :], "--settle", "0"])

    world = World(tmp_path)
    world.configure(world.text + "workers: {processes: 0, threads: 2}\n")
    world.put("a.jpg")
    world.config_path.rename(tmp_path / "-x.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(watch, "Watch", Once)
    assert status_of(["watch", "./-x.yaml"]) == ExitStatus.OK
    assert len(world.tree()) == 1
