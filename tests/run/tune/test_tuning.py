"""Real trials, few and short: nothing is asserted about which setting wins."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from pipeline.errors import ExitStatus, Locked, SourceTrouble, Stopped, TargetTrouble
from pipeline.manifest.lock import RunLock
from pipeline.run.tune.setting import Setting
from pipeline.run.tune.tuning import TuneOptions, tune
from pipeline.targets.local import LocalTarget
from tests.threads import none_stays_alive
from tests.world import World

QUICK = TuneOptions(seconds=0.5)


def nobody(best: Setting, share: float) -> None:
    pass


def left_behind(world: World) -> list[str]:
    """What tuning has left, beside the lock that a run would leave as well."""
    files = [path for path in world.target.rglob("*") if path.is_file() and not path.name.endswith(".lock")]
    folders = world.target.rglob("tune-*")
    return [str(path) for path in [*files, *folders]]


def test_every_kind_of_setting_is_measured_and_nothing_is_left(world: World) -> None:
    world.fill(12)
    world.put("broken.jpg", b"\xff\xd8\xff nothing more")
    seen: list[Setting] = []
    tuning = tune(world.config, QUICK, lambda best, share: seen.append(best))
    assert tuning.outcome.chosen in [verdict.setting for verdict in tuning.outcome.verdicts]
    assert any(verdict.rate > 0 for verdict in tuning.outcome.verdicts)
    assert tuning.auto in [verdict.setting for verdict in tuning.outcome.verdicts]
    assert tuning.pictures == 13
    assert tuning.sample <= 12  # what cannot be rendered is not measured
    assert seen
    assert left_behind(world) == []


@pytest.mark.usefixtures("settled")
def test_tuning_changes_nothing_that_a_run_has_made(world: World) -> None:
    world.fill(6)
    world.run()
    tree, rows = world.tree(), world.export()
    tune(world.config, QUICK, nobody)
    assert (world.tree(), world.export()) == (tree, rows)
    assert world.run().pictures == {"unchanged": 6}


def test_the_setting_of_the_config_is_measured_as_it_is(world: World) -> None:
    world.fill(4)
    world.configure(f"{world.text}workers: {{threads: 3, processes: 0, queue: 7}}\n")
    tuning = tune(world.config, QUICK, nobody)
    assert tuning.present == Setting(0, 3, 7)
    assert tuning.present in [verdict.setting for verdict in tuning.outcome.verdicts]


def test_a_run_at_work_is_not_disturbed(world: World) -> None:
    world.fill(2)
    world.target.mkdir()
    with RunLock(world.config.manifest), pytest.raises(Locked):
        tune(world.config, QUICK, nobody)


def test_a_run_cannot_begin_meanwhile(world: World) -> None:
    world.fill(4)
    locked: list[bool] = []

    def watch(best: Setting, share: float) -> None:
        locked.append(RunLock(world.config.manifest).holder() is not None)

    tune(world.config, QUICK, watch)
    assert locked
    assert all(locked)


def test_a_source_without_pictures_is_told(world: World) -> None:
    world.put("readme.txt", b"words")
    with pytest.raises(SourceTrouble, match="no picture"):
        tune(world.config, QUICK, nobody)
    assert left_behind(world) == []


def test_a_full_disk_ends_it_and_leaves_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fill(8)

    def full(*_: object, **__: object) -> None:
        raise TargetTrouble("no space left")

    monkeypatch.setattr(LocalTarget, "write_all", full)
    with pytest.raises(TargetTrouble):
        tune(world.config, QUICK, nobody)
    assert left_behind(world) == []


def test_a_signal_ends_it_and_leaves_nothing(world: World) -> None:
    world.fill(8)

    def watch(best: Setting, share: float) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    with none_stays_alive(), pytest.raises(Stopped) as stopped:
        tune(world.config, TuneOptions(seconds=20), watch)
    assert stopped.value.status == ExitStatus.TERMINATED
    assert left_behind(world) == []


def test_what_a_killed_tuning_left_is_removed_by_the_next(world: World) -> None:
    world.fill(2)
    left = world.target / ".pipeline" / "tune-0123" / "1"
    left.mkdir(parents=True)
    (left / "a.jpg").write_bytes(b"x")
    tune(world.config, QUICK, nobody)
    assert left_behind(world) == []


def test_a_manifest_elsewhere_has_its_records_written_there(world: World) -> None:
    world.fill(2)
    world.configure(f"{world.text}manifest: state/m.sqlite\n")
    seen: list[Path] = []

    def watch(best: Setting, share: float) -> None:
        seen.extend(world.root.glob("**/tune-*"))

    tune(world.config, QUICK, watch)
    assert {path.parent for path in seen} == {world.target / ".pipeline", world.root / "state"}
    assert not list(world.root.glob("**/tune-*"))
