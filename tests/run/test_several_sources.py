"""One config with several sources, each under its prefix."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.api import plan
from pipeline.errors import ExitStatus, SourceTrouble
from tests.world import World, jpeg

SEVERAL = """\
sources:
  - {path: photos, prefix: photos}
  - {path: more, prefix: scans, exclude: [drafts/]}
target: out
renditions:
  thumb: {width: 32, height: 32}
"""


@pytest.fixture
def several(world: World, settled: None) -> World:
    del settled
    world.configure(SEVERAL)
    world.put("a.jpg")
    world.put("../more/a.jpg", jpeg((9, 99, 9)))
    world.put("../more/b/c.jpg")
    world.put("../more/drafts/d.jpg")
    return world


def names(world: World) -> set[object]:
    return {row["source"] for row in world.export()}


def test_manifest_and_targets_follow_the_prefixes(several: World) -> None:
    assert several.run().status is ExitStatus.OK
    assert list(several.tree()) == ["photos/a-thumb.jpg", "scans/a-thumb.jpg", "scans/b/c-thumb.jpg"]
    assert names(several) == {"photos/a.jpg", "scans/a.jpg", "scans/b/c.jpg"}
    assert plan(several.config).unchanged == 3


def test_the_second_run_makes_only_what_changed_in_one_of_them(several: World) -> None:
    several.run()
    several.put("../more/a.jpg", jpeg((1, 2, 3)))
    assert [(file.source, file.reason) for file in plan(several.config).files] == [("scans/a.jpg", "source changed")]
    assert several.run().done == 1


def test_only_takes_names_with_their_prefix(several: World) -> None:
    assert [file.source for file in plan(several.config, only=["scans/*.jpg"]).files] == ["scans/a.jpg"]


@pytest.mark.parametrize("emptied", [True, False])
def test_one_source_that_is_missing_or_empty_ends_the_run(several: World, emptied: bool) -> None:
    several.run()
    made = several.tree()
    more = several.root / "more"
    shutil.rmtree(more)
    if emptied:
        more.mkdir()
    with pytest.raises(SourceTrouble, match=r"more (holds no files, although|does not exist)") as trouble:
        several.run(prune=True)
    assert trouble.value.status == 3
    assert several.tree() == made


def test_an_empty_source_of_which_nothing_is_known_is_no_trouble(several: World) -> None:
    several.run()
    (several.root / "new").mkdir()
    several.configure(SEVERAL.replace("target:", "  - {path: new, prefix: new}\ntarget:"))
    assert several.run().status is ExitStatus.OK


def test_settle_is_that_of_the_pictures_own_source(several: World) -> None:
    several.configure(SEVERAL.replace("prefix: scans,", "prefix: scans, settle: 1h,"))
    summary = several.run()
    assert dict(summary.pictures) == {"deferred": 2, "done": 1}


def test_a_source_that_the_config_no_longer_has_leaves_orphans(several: World) -> None:
    several.run()
    several.configure("source: photos\n" + SEVERAL[SEVERAL.index("target:") :])
    summary = several.run()
    assert (summary.done, summary.reused, summary.orphans) == (1, 1, 3), "the names are new, the bytes are not"
    assert "a-thumb.jpg" in several.tree()


@pytest.mark.slow
def test_pictures_are_read_by_lane_processes_as_well(several: World) -> None:
    assert several.run(processes=2, lanes=2).done == 3
    assert len(several.tree()) == 3


def test_a_warning_names_the_source_of_which_the_patterns_leave_nothing(several: World, tmp_path: Path) -> None:
    several.configure(SEVERAL.replace("[drafts/]", '["*.jpg"]'))
    (warning,) = several.run().warnings
    assert f"none of the files in {tmp_path / 'more'} passes exclude of the source scans; there are 3" in warning
