"""Runs of shards: parts of all pictures by name, side by side, each with a part of the manifest."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from pipeline.config.load import load
from pipeline.errors import ExitStatus, Locked, ManifestTrouble, UsageError
from pipeline.manifest import parts
from pipeline.manifest.store import Manifest
from pipeline.model.record import Status
from pipeline.plan.options import PlanOptions
from pipeline.plan.shard import Shard
from pipeline.run.failures import retry
from pipeline.run.locking import held
from pipeline.run.merging import merge
from pipeline.run.options import RunOptions
from pipeline.run.prune import prune
from pipeline.run.run import run
from tests.world import World, jpeg


def shard(number: int, count: int, **options: object) -> PlanOptions:
    return PlanOptions(shard=Shard(number, count), **options)  # type: ignore[arg-type]


def test_every_picture_is_in_one_shard_by_its_name_alone() -> None:
    names = [f"{folder}/{number}.jpg" for folder in "ab" for number in range(100)]
    held_by = [[name for name in names if Shard(number, 3).holds(name)] for number in (1, 2, 3)]
    assert sorted(itertools.chain(*held_by)) == sorted(names)
    assert all(40 < len(some) < 95 for some in held_by)
    assert held_by[0][:3] == ["a/3.jpg", "a/4.jpg", "a/6.jpg"]  # for ever: parts of earlier runs rely on it


def test_shards_together_make_what_one_run_makes_and_merge_to_the_same_manifest(world: World, settled: None) -> None:
    world.fill(8)
    world.put("broken.jpg", b"\xff\xd8\xff broken")
    world.put("notes.txt", b"none")
    summaries = [world.run(plan=shard(number, 3)) for number in (1, 2, 3)]
    assert sum(summary.done for summary in summaries) == 8
    assert sum(summary.failed for summary in summaries) == 1
    assert len(merge(world.config)) == 3
    made, rows = world.tree(), world.export()
    assert world.run().pictures == {Status.UNCHANGED: 8, Status.KNOWN_FAILURE: 1, Status.UNSUPPORTED: 1}
    assert parts.parts(world.config.manifest) == []
    shutil.rmtree(world.target)
    world.run()
    assert world.tree() == made
    assert world.export() == rows


def test_the_next_shards_know_what_earlier_runs_have_made(world: World, settled: None) -> None:
    world.fill(6)
    world.run()
    new = world.put("new.jpg")
    summaries = [world.run(plan=shard(number, 2)) for number in (1, 2)]
    assert sum(summary.done for summary in summaries) == 1
    assert sum(summary.pictures.get(Status.UNCHANGED, 0) for summary in summaries) == 6
    again = [world.run(plan=shard(number, 2)) for number in (1, 2)]  # before they are merged
    assert [summary.done for summary in again] == [0, 0]
    merge(world.config)
    assert world.run().pictures == {Status.UNCHANGED: 7}
    new.unlink()
    assert world.run().orphans == 1


def test_shards_exclude_their_own_double_and_whole_runs_only(world: World) -> None:
    world.fill(4)
    config = world.config
    part = parts.part_of(config.manifest, 1, 2)
    with held(config, "first", part=part):
        assert world.run(plan=shard(2, 2)).failed == 0
        with pytest.raises(Locked):
            world.run(plan=shard(1, 2))
        with pytest.raises(Locked):
            world.run()
        with pytest.raises(Locked):
            merge(config)
    with held(config, "whole"), pytest.raises(Locked):
        world.run(plan=shard(1, 2))


def test_parts_of_another_number_of_shards_are_merged_first(world: World) -> None:
    world.fill(4)
    world.run(plan=shard(1, 2))
    before = set(world.config.manifest.parent.iterdir())
    with pytest.raises(ManifestTrouble, match=f"manifest merge {world.config_path}` first"):
        world.run(plan=shard(1, 3))
    assert set(world.config.manifest.parent.iterdir()) == before  # no lock of a part that there is not
    merge(world.config)
    assert world.run(plan=shard(1, 3)).failed == 0


def test_a_file_goes_over_to_a_picture_of_another_shard(world: World, settled: None) -> None:
    old, new = "a.jpg", "a.png"
    count = next(n for n in range(2, 9) if Shard(1, n).holds(old) != Shard(1, n).holds(new))
    world.put(old)
    world.run()
    (world.source / old).unlink()
    world.put(new, jpeg((1, 2, 3)))
    for number in range(count, 0, -1):
        assert world.run(plan=shard(number, count)).failed == 0
    assert len(merge(world.config)) == count
    with Manifest.reader(world.config) as reader:
        assert [file.source for file in reader.claimed_files()] == [new]
    assert world.run().pictures == {Status.UNCHANGED: 1}
    world.run(prune=True)
    assert list(world.tree()) == ["a-thumb.jpg"]


@pytest.mark.parametrize("first", [1, 2])
def test_the_order_of_merging_decides_nothing_about_a_file(world: World, settled: None, first: int) -> None:
    """The part of the shard that had the file is read before, or after, that of the shard that has it now."""
    names = [f"{stem}.{ending}" for stem in "abcdefgh" for ending in ("jpg", "png")]
    old, new = next(
        (one, other)
        for one, other in itertools.permutations(names, 2)
        if one[0] == other[0] and Shard(first, 2).holds(one) and Shard(3 - first, 2).holds(other)
    )
    world.put(old)
    world.run()
    (world.source / old).unlink()
    world.put(new, jpeg((1, 2, 3)))
    for number in (1, 2):
        world.run(plan=shard(number, 2))
    merge(world.config)
    with Manifest.reader(world.config) as reader:
        assert [file.source for file in reader.claimed_files()] == [new]


def test_whole_runs_wait_until_parts_are_merged(world: World) -> None:
    world.fill(4)
    world.run()
    world.run(plan=shard(1, 2))
    for act in (world.run, lambda: prune(world.config, force=False), lambda: retry(world.config, ())):
        with pytest.raises(ManifestTrouble, match=f"with `.*pipeline manifest merge {world.config_path}` first"):
            act()
    merge(world.config)
    assert world.run().status == ExitStatus.OK


def test_parts_beside_a_former_manifest_are_not_forgotten(world: World) -> None:
    world.fill(4)
    world.run(plan=shard(1, 2))
    before, changed = world.text, world.text + "manifest: beside.sqlite\n"
    world.configure(changed)
    with pytest.raises(
        ManifestTrouble, match=r"manifest merge \S+`, with `manifest: .*/manifest\.sqlite` in the config, first"
    ):
        world.run()
    world.configure(before)
    merge(world.config)
    world.configure(changed)
    assert world.run().status == ExitStatus.OK


def test_what_a_restored_part_may_lack_is_asked_of_the_files_after_the_merge(world: World, settled: None) -> None:
    world.fill(2)
    world.run()
    world.run(plan=shard(1, 1))
    with contextlib.closing(sqlite3.connect(parts.part_of(world.config.manifest, 1, 1))) as part, part:
        part.execute("INSERT INTO about VALUES ('restored', x'31')")
    merge(world.config)
    with Manifest.reader(world.config) as reader:
        assert reader.restored


def test_shards_of_a_config_that_was_moved_take_its_manifest_over(world: World, settled: None) -> None:
    world.fill(3)
    world.run()
    moved = world.config_path.rename(world.root / "moved.yaml")
    config = load(moved)
    with pytest.raises(UsageError):
        run(config, RunOptions(plan=shard(1, 1)))
    assert run(config, RunOptions(plan=shard(1, 1, adopt=True))).pictures == {Status.UNCHANGED: 3}
    merge(config)
    assert run(config, RunOptions()).pictures == {Status.UNCHANGED: 3}


def test_shards_find_a_manifest_that_was_elsewhere_before(world: World, settled: None) -> None:
    world.fill(4)
    world.run()
    world.configure(world.text + "manifest: beside.sqlite\n")
    summaries = [world.run(plan=shard(number, 2)) for number in (1, 2)]
    assert [summary.done for summary in summaries] == [0, 0]
    merge(world.config)
    assert world.run().pictures == {Status.UNCHANGED: 4}
    with Manifest.reader(world.config) as reader:
        assert len(reader.runs()) == 4


def test_a_merge_that_was_killed_can_be_made_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fill(4)
    world.run(plan=shard(1, 1))
    kept = parts.part_of(world.config.manifest, 1, 1)
    content = kept.read_bytes()
    merge(world.config)
    before = world.export()
    kept.write_bytes(content)
    merge(world.config)
    assert world.export() == before


def test_a_failure_stays_known_when_the_run_that_reported_it_is_no_longer_listed(world: World, settled: None) -> None:
    world.put("broken.jpg", b"\xff\xd8\xff broken")
    world.run()
    with contextlib.closing(sqlite3.connect(world.config.manifest)) as connection, connection:
        connection.execute("DELETE FROM run")  # as after a thousand others
    assert world.run(plan=shard(1, 1)).pictures == {Status.KNOWN_FAILURE: 1}
    merge(world.config)
    assert world.run().pictures == {Status.KNOWN_FAILURE: 1}


def test_parts_in_a_folder_whose_name_is_no_text_are_merged(tmp_path: Path) -> None:
    root = tmp_path / os.fsdecode(b"a\xff?b")
    root.mkdir()
    world = World(root)
    world.fill(2)
    world.run(plan=shard(1, 1))
    assert merge(world.config) == {"manifest.sqlite.shard-1-of-1": 2}


def test_a_damaged_part_is_not_merged_and_stays(world: World) -> None:
    world.fill(2)
    world.run(plan=shard(1, 1))
    part = parts.part_of(world.config.manifest, 1, 1)
    part.with_name(f"{part.name}.backup").unlink()
    part.write_bytes(b"x" * 4096)
    with pytest.raises(ManifestTrouble):
        merge(world.config)
    assert part.exists()


def test_shards_remove_nothing(world: World, settled: None) -> None:
    world.fill(4)
    world.run()
    for path in world.source.rglob("*.jpg"):
        path.unlink()
    world.put("other.jpg")
    world.run()  # sees the orphans
    before = set(world.tree())
    for number in (1, 2):
        world.run(plan=shard(number, 2), prune=True)
    assert set(world.tree()) == before


def test_failures_that_are_fine_make_no_status(world: World) -> None:
    world.put("broken.jpg", b"\xff\xd8\xff broken")
    assert world.run(failures_ok=True).status == ExitStatus.OK
    world.put("torn.jpg", b"\xff\xd8\xff torn")
    assert world.run().status == ExitStatus.FAILED
