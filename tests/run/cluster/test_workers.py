"""Workers of a cluster come and go, and cost no more than what they had in hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ExitStatus
from pipeline.run.cluster import lanes
from pipeline.run.options import Progress, RunOptions
from pipeline.run.run import run
from tests.run.cluster.cluster import Cluster, go_on
from tests.world import World


@pytest.mark.slow
@pytest.mark.usefixtures("settled")
def test_a_run_loses_nothing_with_a_worker_that_is_killed_and_one_that_is_halted_and_goes_on_with_a_third(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "_SILENT", 6.0)  # one at work is heard twice a second, if the machine has time for it
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    here, there = World(tmp_path / "here"), World(tmp_path / "there")
    marks = [tmp_path / "killed", tmp_path / "halted"]
    with Cluster(tmp_path) as cluster:
        cluster.worker(FAULT="kills its worker", VICTIM="", MARK=str(marks[0]))
        halted = cluster.worker(FAULT="stops its worker", VICTIM="", MARK=str(marks[1]))
        there.configure(there.text + f"executor: {{dask: '{cluster.address}'}}\n")
        for world in (here, there):
            world.fill(24)
        added: list[object] = []

        def watch(progress: Progress) -> None:
            if not added and all(mark.exists() for mark in marks):
                added.append(cluster.worker())

        summary = run(there.config, RunOptions(threads=2, processes=1), watch)
        assert (summary.status, summary.pictures) == (ExitStatus.OK, {"done": 24})
        assert len([warning for warning in summary.warnings if "was lost with" in warning]) == 2
        here.run()
        go_on(halted)
        assert (there.tree(), there.export(), there.srcset()) == (here.tree(), here.export(), here.srcset())
        assert there.leftovers() == []
        assert there.run().pictures == {"unchanged": 24}
