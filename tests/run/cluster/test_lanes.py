"""The lanes of a cluster as their driver sees them, with an engine that refuses."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor, Future
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipeline.errors import PipelineError
from pipeline.run.batch import Batch
from pipeline.run.clock import Pace
from pipeline.run.cluster import lanes
from pipeline.run.cluster.lanes import ClusterLanes
from pipeline.run.cluster.pool import Seen
from pipeline.run.cluster.worker import Opening
from pipeline.run.lane import Control
from pipeline.targets.lease import lease_in
from tests.run.cluster.test_welcome import setup
from tests.world import World


class _Refusing(Executor):
    def submit(self, *_: Any, **__: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(ModuleNotFoundError("No module named 'pipeline'"))
        return future


class _Pool:
    """A worker that is another at each look but the first."""

    def __init__(self) -> None:
        self._name = "first"

    def workers(self) -> Mapping[str, Seen]:
        name, self._name = self._name, "second"
        return {name: Seen(name, "host", 1, None, 0.0)}

    def executor(self, _: str) -> Executor:
        return _Refusing()


def test_a_run_ends_when_no_worker_there_can_be_used_also_after_others_have_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "_LOOK", 0.0)
    opening = Opening(setup(world, lease_in(world.target)), None, None, None, None, 1, 1)
    nothing = cast(Any, SimpleNamespace(check=lambda: None, witness=None, refusal=None))
    control = Control(Pace(None, None), lambda: None, lambda: False)
    with pytest.raises(PipelineError, match="^no worker can be used: worker second gets no pictures: ModuleNotFound"):
        ClusterLanes(cast(Any, _Pool()), opening, nothing, nothing, control, lambda *_: None, 2.0).put(Batch(()))
