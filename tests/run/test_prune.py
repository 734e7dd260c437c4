"""Orphans: only what was made goes, only after a run has seen it, and never when the source may not be all there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.cli.main import status_of
from pipeline.cli.summary import sentence
from pipeline.errors import ExitStatus, Locked, SourceTrouble
from pipeline.manifest.claims import Claim, ClaimedFile
from pipeline.manifest.lock import RunLock
from pipeline.manifest.store import Manifest
from pipeline.plan.options import PlanOptions
from pipeline.run.prune import Fate, Pruned, PruneRefused, find, look, prune, refusal
from pipeline.sources.walk import Walk
from tests.world import World

pytestmark = pytest.mark.usefixtures("settled")
ORPHAN = "a/000-thumb.jpg"


def fates(pruned: Pruned) -> dict[str, Fate]:
    return {verdict.orphan.target: verdict.fate for verdict in pruned.verdicts}


@pytest.fixture
def orphaned(world: World, settled: None) -> World:
    """Twelve pictures were made, one of them is gone, and a run has seen that."""
    world.fill(12)
    world.run()
    (world.source / "a/000.jpg").unlink()
    assert world.run().orphans == 1
    return world


def test_an_orphan_goes_when_an_earlier_run_has_seen_it_and_not_before(world: World) -> None:
    world.fill(12)
    world.run()
    (world.source / "a/000.jpg").unlink()
    assert fates(look(world.config)) == {ORPHAN: Fate.WAITING}
    assert fates(prune(world.config, force=False)) == {ORPHAN: Fate.WAITING}
    summary = world.run(prune=True)
    assert (summary.orphans, summary.removed, summary.unseen) == (1, 0, 1)
    assert "1 orphan (1 seen by no earlier run: the next --prune may remove it)" in sentence(Path("x"), summary)
    assert ORPHAN in world.tree()
    assert fates(look(world.config)) == {ORPHAN: Fate.DUE}
    assert ORPHAN in world.tree()
    assert fates(prune(world.config, force=False)) == {ORPHAN: Fate.REMOVED}
    assert ORPHAN not in world.tree()
    assert len(world.tree()) == 11
    assert look(world.config).verdicts == ()
    assert world.run().pictures == {"unchanged": 11}


def test_a_run_prunes_what_an_earlier_one_has_seen(orphaned: World) -> None:
    summary = orphaned.run(prune=True)
    assert (summary.orphans, summary.removed, summary.unseen, summary.status) == (0, 1, 0, ExitStatus.OK)
    assert ORPHAN not in orphaned.tree()
    assert {row["source"] for row in orphaned.export()} == {
        f"{'abc'[number % 3]}/{number:03}.jpg" for number in range(1, 12)
    }
    with Manifest.reader_at(orphaned.config.manifest) as reader:
        assert reader.claimed([ORPHAN]) == set()


def test_a_source_replaced_by_one_that_makes_the_same_file_leaves_no_record(world: World) -> None:
    world.put("photo.jpg")
    world.run()
    (world.source / "photo.jpg").rename(world.source / "photo.jpeg")
    assert world.run().orphans == 0
    assert list(world.tree()) == ["photo-thumb.jpg"]
    assert [row["source"] for row in world.export()] == ["photo.jpeg"]


def test_a_picture_that_comes_back_keeps_its_files(orphaned: World) -> None:
    orphaned.put("a/000.jpg")
    assert orphaned.run(prune=True).removed == 0
    assert look(orphaned.config).verdicts == ()
    (orphaned.source / "a/000.jpg").unlink()
    assert orphaned.run(prune=True).removed == 0  # it is seen for the first time again


def _other_size(path: Path) -> None:
    path.write_bytes(b"my own")


def _other_content(path: Path) -> None:
    before = path.stat()
    path.write_bytes(bytes(before.st_size))
    os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))


def _other_time(path: Path) -> None:
    os.utime(path)


def _link(path: Path) -> None:
    elsewhere = path.parents[2] / "elsewhere.jpg"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("change", [_other_size, _other_content, _other_time, _link, _folder])
def test_what_is_not_the_file_that_was_made_is_left_and_reported(
    orphaned: World, change: Callable[[Path], None]
) -> None:
    change(orphaned.target / ORPHAN)
    (verdict,) = look(orphaned.config).verdicts
    assert (verdict.fate, bool(verdict.detail)) == (Fate.LEFT, True)
    (verdict,) = prune(orphaned.config, force=True).verdicts
    assert (verdict.fate, bool(verdict.detail)) == (Fate.LEFT, True)
    assert os.path.lexists(orphaned.target / ORPHAN)
    assert orphaned.run(prune=True).removed == 0


def test_nothing_is_removed_through_a_link(orphaned: World) -> None:
    elsewhere = orphaned.root / "elsewhere"
    shutil.move(orphaned.target / "a", elsewhere)
    (orphaned.target / "a").symlink_to(elsewhere)
    (verdict,) = prune(orphaned.config, force=True).verdicts
    assert verdict.fate is Fate.LEFT
    assert (elsewhere / "000-thumb.jpg").exists()


def test_a_file_that_has_gone_by_itself_is_forgotten(orphaned: World) -> None:
    (orphaned.target / ORPHAN).unlink()
    assert fates(prune(orphaned.config, force=False)) == {ORPHAN: Fate.REMOVED}
    assert look(orphaned.config).verdicts == ()


def test_more_than_a_fifth_goes_only_if_forced(world: World) -> None:
    world.fill(33)
    world.run()
    shutil.rmtree(world.source / "a")
    world.run()
    with pytest.raises(PruneRefused, match=r"11 of 33 files would go, more than 20%.*--force"):
        prune(world.config, force=False)
    assert "11 of 33" in look(world.config).refused
    summary = world.run(prune=True)
    assert (summary.orphans, summary.removed, summary.status) == (11, 0, ExitStatus.OK)
    assert "nothing was pruned, now and until that changes: 11 of 33" in summary.warnings[0]
    assert len(world.tree()) == 33
    assert set(fates(prune(world.config, force=True)).values()) == {Fate.REMOVED}
    assert len(world.tree()) == 22


def test_that_nothing_is_pruned_is_told_once_and_again_when_it_comes_back(world: World) -> None:
    world.fill(33)
    world.run()
    shutil.move(world.source / "a", world.root / "away")
    assert [len(world.run(prune=True).warnings) for _ in range(4)] == [0, 1, 0, 0]
    shutil.move(world.root / "away", world.source / "a")
    assert world.run(prune=True).warnings == ()
    shutil.rmtree(world.source / "a")
    assert [len(world.run(prune=True).warnings) for _ in range(3)] == [0, 1, 0]


def test_a_size_that_was_dropped_from_the_config_is_pruned_however_many_files_it_had(world: World) -> None:
    world.configure(world.text + "  small: {width: 16}\n")
    world.fill(12)
    world.run()
    world.configure(world.text.replace("  small: {width: 16}\n", ""))
    assert [world.run(prune=True).removed for _ in range(2)] == [0, 12]
    assert len(world.tree()) == 12


def test_what_was_made_of_a_renamed_folder_is_pruned_however_large_it_was(world: World) -> None:
    world.fill(36)
    world.run()
    (world.source / "a").rename(world.source / "renamed")
    summaries = [world.run(prune=True) for _ in range(2)]
    assert [(summary.removed, summary.warnings) for summary in summaries] == [(0, ()), (12, ())]
    assert [len(list((world.target / name).glob("*"))) for name in ("renamed", "b", "c")] == [12, 12, 12]


def test_what_an_old_name_template_left_is_pruned_however_many_files_it_had(world: World) -> None:
    world.fill(12)
    world.run()
    world.configure(world.text.replace("target: out", 'target: {path: out, name: "{dir}/{stem}.{ext}"}'))
    assert [world.run(prune=True).removed for _ in range(2)] == [0, 12]


def test_one_of_two_is_pruned_and_two_of_two_are_not(world: World) -> None:
    world.put("a.jpg")
    world.put("b.jpg")
    world.run()
    (world.source / "a.jpg").unlink()
    assert [world.run(prune=True).removed for _ in range(2)] == [0, 1]
    (world.source / "b.jpg").unlink()
    world.put("notes.txt", b"what stays where a disk is not mounted")
    summaries = [world.run(prune=True) for _ in range(2)]
    assert [summary.removed for summary in summaries] == [0, 0]
    assert "1 of 1 files would go" in summaries[1].warnings[0]


def test_folders_that_runs_made_go_with_their_last_file_and_others_stay(world: World) -> None:
    (world.target / "users").mkdir(parents=True)
    for name in ("users/1.jpg", "made/deep/2.jpg", *(f"{number}.jpg" for number in range(10))):
        world.put(name)
    world.run()
    shutil.rmtree(world.source / "users")
    shutil.rmtree(world.source / "made")
    world.run()
    assert world.run(prune=True).removed == 2
    assert not (world.target / "made").exists()
    assert (world.target / "users").is_dir()


def test_a_folder_with_somebody_elses_file_stays(orphaned: World) -> None:
    shutil.rmtree(orphaned.source / "b")
    (orphaned.target / "b/mine.txt").write_text("mine")
    orphaned.run()
    prune(orphaned.config, force=True)
    assert [path for path in orphaned.tree() if path.startswith("b/")] == ["b/mine.txt"]


@pytest.mark.parametrize("narrow", [PlanOptions(only=("a/**",)), PlanOptions(limit=1)])
def test_a_narrowed_run_removes_and_sees_nothing(orphaned: World, narrow: PlanOptions) -> None:
    assert orphaned.run(plan=narrow, prune=True).removed == 0
    assert ORPHAN in orphaned.tree()
    assert fates(look(orphaned.config)) == {ORPHAN: Fate.DUE}  # what a whole run has seen stays seen


def test_nothing_is_removed_when_the_source_is_empty_or_missing(orphaned: World) -> None:
    shutil.rmtree(orphaned.source)
    for there in (False, True):
        if there:
            orphaned.source.mkdir()
        with pytest.raises(SourceTrouble):
            prune(orphaned.config, force=True)
        with pytest.raises(SourceTrouble):
            orphaned.run(prune=True)
    assert len(orphaned.tree()) == 12


def test_nothing_is_removed_when_a_folder_cannot_be_listed(orphaned: World, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = Walk._list

    def unlistable(self: Walk, path: str, *rest: Any) -> object:
        if path == "b":
            raise PermissionError(13, "Permission denied")
        return listing(self, path, *rest)

    monkeypatch.setattr(Walk, "_list", unlistable)
    with pytest.raises(PruneRefused, match="'b' of the source cannot be listed"):
        prune(orphaned.config, force=True)
    assert orphaned.run(prune=True).removed == 0
    assert len(orphaned.tree()) == 12


def test_files_of_an_old_name_template_and_of_a_removed_rendition_are_orphans(world: World) -> None:
    world.configure(world.text + "  small: {width: 8}\n")
    world.put("a.jpg")
    world.run()
    world.configure(
        "source: photos\ntarget: {path: out, name: 'new/{stem}-{rendition}.{ext}'}\n"
        "renditions:\n  thumb: {width: 32, height: 32}\n"
    )
    assert world.run().orphans == 2
    assert world.run().orphans == 2
    pruned = prune(world.config, force=True)
    assert fates(pruned) == {"a-small.jpg": Fate.REMOVED, "a-thumb.jpg": Fate.REMOVED}
    assert list(world.tree()) == ["new/a-thumb.jpg"]
    assert world.run().pictures == {"unchanged": 1}


def test_one_file_under_two_names_is_not_removed_with_the_other_name(orphaned: World) -> None:
    """As where capitals do not count: the file of `A` is that of `a`."""
    twin = "a/000-THUMB.jpg"
    os.link(orphaned.target / ORPHAN, orphaned.target / twin)
    with Manifest.open(orphaned.config.manifest, owner=os.path.realpath(orphaned.config_path)) as manifest:
        manifest.claim([Claim(twin, "a/003.jpg", "thumb")])
    (verdict,) = prune(orphaned.config, force=True).verdicts
    assert (verdict.fate, verdict.detail) == (Fate.LEFT, f"'{twin}' is the same file")
    assert (orphaned.target / ORPHAN).exists()


def test_a_kill_between_the_files_and_their_claims_is_made_good_by_the_next_time(
    orphaned: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "release", killed)
        with pytest.raises(MemoryError):
            prune(orphaned.config, force=False)
    assert ORPHAN not in orphaned.tree()
    with Manifest.reader_at(orphaned.config.manifest) as reader:
        assert reader.claimed([ORPHAN]) == {ORPHAN}
    assert orphaned.run(prune=True).removed == 1
    with Manifest.reader_at(orphaned.config.manifest) as reader:
        assert reader.claimed([ORPHAN]) == set()
    assert orphaned.run().orphans == 0


def test_it_waits_for_nobody_and_disturbs_no_run(orphaned: World) -> None:
    with RunLock(orphaned.config.manifest):
        with pytest.raises(Locked):
            prune(orphaned.config, force=False)
        assert fates(look(orphaned.config)) == {ORPHAN: Fate.DUE}


def test_a_plan_that_is_not_complete_refuses() -> None:
    class Planner:
        complete = False
        unlistable = ()
        empty = False

    assert refusal(Planner(), [], None, force=True)[0] == "incomplete"  # type: ignore[arg-type]


def test_the_command_shows_by_default_and_deletes_when_told(
    orphaned: World, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(orphaned.config_path)
    shown = orphaned.command("prune", config)
    assert (shown.returncode, shown.stdout) == (0, f"to be removed {ORPHAN} (source gone)\n")
    assert "1 file" in shown.stderr
    assert shown.stderr.endswith(f" prune {config} --delete deletes them\n")
    assert ORPHAN in orphaned.tree()
    deleted = orphaned.command("prune", "--delete", "--json", config)
    assert deleted.returncode == 0
    row = json.loads(deleted.stdout)
    assert (row["target"], row["fate"], row["why"]) == (ORPHAN, "removed", "source gone")
    assert ORPHAN not in orphaned.tree()
    assert status_of(["prune", "--delete", config]) == 0
    assert capsys.readouterr() == ("", "")  # cron would mail each night that nothing was to be done


def test_a_claimed_file_that_another_picture_is_to_make_is_no_orphan() -> None:
    files = [ClaimedFile(name, "gone.jpg", "thumb", 1, 2, b"hash", current=False) for name in ("theirs.jpg", "x.jpg")]
    planner = SimpleNamespace(orphans=[], wanted=lambda targets: {"theirs.jpg"} & set(targets))
    memory = SimpleNamespace(orphans=SimpleNamespace(stale=lambda: files))
    assert [orphan.target for orphan in find(planner, memory)] == ["x.jpg"]  # type: ignore[arg-type]
