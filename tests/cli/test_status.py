from __future__ import annotations

import json
import shutil
from dataclasses import asdict

import pytest

from pipeline.cli.main import status_of
from pipeline.cli.status import run_line
from pipeline.errors import ExitStatus, SourceTrouble
from pipeline.manifest.runs import RunStart, RunSummary
from pipeline.manifest.store import Manifest
from pipeline.plan.options import PlanOptions
from pipeline.plan.shard import Shard
from pipeline.run.options import Progress, RunOptions
from pipeline.run.run import run
from tests.world import World

START = RunStart("ab" * 16, "it.yaml", ("pipeline", "run"), 1, "host", 1_600_000_000.0)


def noted(world: World, progress: Progress) -> RunSummary:
    with Manifest.open(world.root / "m" / "manifest.sqlite", owner="it.yaml") as manifest:
        manifest.begin_run(START)
        manifest.amend_run({"progress": {**asdict(progress), "at": START.started + 50}})
        return manifest.runs(1)[0]


def test_a_run_at_work_says_how_far_it_is(world: World) -> None:
    run = noted(world, Progress(45, 2, 10_000_000, 40_000_000, jobs_done=43, jobs_expected=172))
    line = run_line(run, running=True)
    assert "running, 25% of the bytes, 43 of about 172 pictures, 2 failed, about " in line
    assert line.endswith(" left")


def test_a_run_that_died_says_how_far_it_came(world: World) -> None:
    run = noted(world, Progress(45, 0, 10_000_000, 40_000_000, jobs_done=43, jobs_expected=172))
    assert run_line(run, running=False).endswith(
        "died without a word (killed, a power cut, or a full disk), after 43 pictures"
    )


def test_a_run_notes_its_progress_while_it_works_and_not_when_it_has_ended(world: World) -> None:
    world.fill(3)
    seen: list[object] = []

    def watch(_progress: Progress) -> None:
        with Manifest.reader(world.config) as reader:
            seen.append(reader.runs(1)[0].settings.get("progress"))

    run(world.config, RunOptions(threads=1, processes=0), watch)
    assert isinstance(seen[0], dict)
    with Manifest.reader(world.config) as reader:
        assert "progress" not in reader.runs(1)[0].settings


def test_a_run_that_could_not_finish_says_why(world: World) -> None:
    world.fill(3)
    moved = world.root / "moved"

    def watch(_progress: Progress) -> None:
        if world.source.exists():
            world.source.rename(moved)

    with pytest.raises(SourceTrouble) as trouble:
        run(world.config, RunOptions(threads=1, processes=0), watch)
    shown = world.command("status", str(world.config_path)).stdout.splitlines()[0]
    assert "  status 3  " in shown
    assert shown.endswith(f": {trouble.value}")


def test_shards_that_are_at_work_or_wait_to_be_merged_are_told(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.fill(6)
    told: list[str] = []

    def watch(progress: Progress) -> None:
        if not told:
            status_of(["status", str(world.config_path)])
            told.append(capsys.readouterr().out)

    run(world.config, RunOptions(plan=PlanOptions(shard=Shard(1, 2)), threads=1, processes=0))
    run(world.config, RunOptions(plan=PlanOptions(shard=Shard(2, 2)), threads=1, processes=0), watch)
    first, second = told[0].splitlines()
    assert first.startswith("2 shards: 1 at work, 1 ended with status 0; ")
    assert first.endswith(f"manifest merge {world.config_path} brings in what they have written when they have ended")
    assert second.startswith("  2/2  ")
    assert status_of(["status", str(world.config_path), "--json"]) == 0
    shards = json.loads(capsys.readouterr().out)["shards"]
    assert [(shard["shard"], shard["at_work"], shard["run"]["status"]) for shard in shards] == [
        ("1/2", False, 0),
        ("2/2", False, 0),
    ]


def test_status_and_merge_name_the_shards_that_are_to_run_again(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.fill(4)
    config = str(world.config_path)
    world.run(plan=PlanOptions(shard=Shard(1, 2)))
    first, second = world.command("status", config).stdout.splitlines()
    assert first.endswith(f"manifest merge {config} brings in what they have written, again when the others have run")
    assert second.startswith("  shard 2 of 2 has not run: start it again: ")
    assert second.endswith(f" run {config} --shard 2/2")
    assert status_of(["status", config, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["unfinished_shards"] == {"2/2": "has not run"}
    for _ in range(2):  # also where nothing is left to merge
        merged = world.command("manifest", "merge", config)
        assert merged.returncode == ExitStatus.FAILED
        assert "shard 2 of 2 has not run: start it again: " in merged.stderr
    assert "shard 2 of 2 has not run: start it again: " in world.command("status", config).stdout
    world.run(plan=PlanOptions(shard=Shard(2, 2)))
    merged = world.command("manifest", "merge", config)
    assert (merged.returncode, merged.stderr) == (ExitStatus.OK, "")
    assert "shard" not in world.command("status", config).stdout
    assert status_of(["manifest", "merge", config]) == ExitStatus.OK  # a job that a scheduler repeats
    assert "nothing to merge: what the last 2 shards have written was brought in before" in capsys.readouterr().err


def test_a_merge_without_any_shard_is_no_success(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.fill(1)
    config = str(world.config_path)
    assert status_of(["manifest", "merge", config]) == ExitStatus.FAILED
    assert "nothing to merge: no shard of" in capsys.readouterr().err
    world.run()
    assert status_of(["manifest", "merge", config]) == ExitStatus.FAILED


def test_a_manifest_that_was_lost_is_told_from_one_that_was_never_made(world: World) -> None:
    world.fill(1)
    config = str(world.config_path)
    assert world.command("status", config).stderr.startswith(f"{config} has not run yet: there is no manifest at ")
    world.run()
    shutil.rmtree(world.target / ".pipeline")
    for command in ("status", "report"):
        said = world.command(command, config).stderr
        assert "but the target holds files: if runs have made them, it was lost" in said


def test_orphans_are_told_apart_from_what_is_there(world: World) -> None:
    world.fill(3)
    world.run()
    next(world.source.rglob("*.jpg")).unlink()
    world.run()
    shown = world.command("status", str(world.config_path)).stdout
    assert "\n2 sources (" in shown
    assert "), 2 renditions made (" in shown
    assert "\n1 orphan besides; " in shown
    assert f" run --prune {world.config_path} removes it\n" in shown
    world.run(prune=True)
    assert "orphan" not in world.command("status", str(world.config_path)).stdout
