"""A worker gets a lane only if it sees the driver's source and target, and makes the same pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.run.cluster import worker
from pipeline.run.cluster.welcome import Welcome, difference
from pipeline.run.cluster.worker import Question, Versions
from pipeline.run.lane_host import LaneSetup
from pipeline.run.line import Terms
from pipeline.run.options import Workers
from pipeline.sources.opening import source_of
from pipeline.targets.lease import InFolder, Lease, Place, lease_in
from tests.world import World

OURS = Versions("1.0", 3, "pillow=12.0.0 webp=1.5.0 vips=8.17.0")


@pytest.fixture
def lease(world: World) -> Iterator[Lease]:
    world.fill(3)
    (world.target / ".pipeline").mkdir(parents=True)
    with Lease(lease_in(world.target), "run") as lease:
        yield lease


def setup(world: World, lease: Place) -> LaneSetup:
    config = world.config
    return LaneSetup(
        7, "run", Terms(config.limits), Workers(1, 1, 0, 0, 1), config.sources, config.target, None, None, None, lease
    )


def test_a_worker_that_sees_the_same_is_welcome_and_its_probe_is_removed(world: World, lease: Lease) -> None:
    welcome = Welcome(lease, source_of(world.config.sources), ("a", "000.jpg"))
    sight = worker.look(Question(setup(world, lease.place), welcome.witness))
    probe = lease_in(world.target).beside("probe-7")
    assert probe.path.exists()
    assert welcome.refusal(sight, 7) == ""
    assert not probe.path.exists()


def test_a_worker_that_sees_another_target_is_refused(world: World, lease: Lease, tmp_path: Path) -> None:
    other = tmp_path / "other" / ".pipeline"
    other.mkdir(parents=True)
    welcome = Welcome(lease, source_of(world.config.sources), None)
    sight = worker.look(Question(setup(world, InFolder(other / "lease")), None))
    assert (
        welcome.refusal(sight, 7) == f"it sees another target than the driver: not what the driver has in {lease.place}"
    )
    with Lease(InFolder(other / "lease"), "run"):  # even if a copy of the lease is there
        sight = worker.look(Question(setup(world, InFolder(other / "lease")), None))
    assert (
        welcome.refusal(sight, 7) == f"it sees another target than the driver: not what the driver has in {lease.place}"
    )


def test_a_worker_that_sees_another_source_is_refused(world: World, lease: Lease) -> None:
    welcome = Welcome(lease, source_of(world.config.sources), ("a", "000.jpg"))
    sight = worker.look(Question(setup(world, lease.place), welcome.witness))
    assert sight.witness is not None
    for witness in (None, replace(sight.witness, mtime_ns=1)):
        why = welcome.refusal(replace(sight, witness=witness), 7)
        assert why == "it sees another source than the driver: a/000.jpg is not the same file there"
        worker.look(Question(setup(world, lease.place), welcome.witness))
    name = "\x1b.jpg"  # in no folder
    (world.source / name).write_bytes(b"")
    welcome = Welcome(lease, source_of(world.config.sources), ("", name))
    assert welcome.refusal(sight, 7).endswith(r"the driver: \x1b.jpg is not the same file there")


def test_a_worker_that_lacks_the_source_or_may_not_write_is_refused_with_the_reason(world: World, lease: Lease) -> None:
    welcome = Welcome(lease, source_of(world.config.sources), None)
    asked = setup(world, lease.place)
    gone = replace(world.config.sources[0], path=world.root / "gone")
    sight = worker.look(Question(replace(asked, sources=(gone,)), None))
    assert "gone" in welcome.refusal(sight, 7)
    assert welcome.refusal(replace(sight, wrote="Permission denied"), 7).endswith("lease.probe-7: Permission denied")


def test_a_worker_with_another_library_is_refused_before_all_else(world: World, lease: Lease) -> None:
    welcome = Welcome(lease, source_of(world.config.sources), None)
    sight = worker.look(Question(setup(world, lease.place), None))
    other = replace(sight.versions, libraries=sight.versions.libraries.replace("pillow=", "pillow=9"))
    assert welcome.refusal(replace(sight, versions=other, run="another"), 7).startswith("it has pillow=9")


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        (replace(OURS, program="0.9"), "version 0.9 of this program, the driver 1.0"),
        (replace(OURS, pixels=2), "revision 2 of what makes pixels, the driver 3"),
        (replace(OURS, libraries="pillow=11.3.0 webp=1.5.0"), "pillow=11.3.0, the driver pillow=12.0.0 vips=8.17.0"),
        (replace(OURS, libraries=f"{OURS.libraries} heif=1.0"), "heif=1.0, the driver less"),
    ],
)
def test_a_difference_is_named_from_both_sides(theirs: Versions, words: str) -> None:
    assert difference(theirs, OURS) == words
