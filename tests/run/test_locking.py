"""Two runs at once: the target is guarded, whatever manifest each would keep."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from pipeline.config.load import load
from pipeline.errors import ExitStatus, Locked, Stopped
from pipeline.run.locking import held
from pipeline.run.options import RunOptions
from pipeline.run.run import run
from tests.world import World


def other(world: World) -> Path:
    """Another config for the same target, with a manifest elsewhere, and the target by another name."""
    (world.root / "link").symlink_to(world.target)
    path = world.root / "other.yaml"
    path.write_text(world.text.replace("target: out", "target: link") + "manifest: elsewhere.sqlite\n")
    return path


def test_two_configs_with_manifests_of_their_own_do_not_write_one_target_at_once(world: World) -> None:
    world.fill(1)
    world.run()
    second = load(other(world))
    with held(world.config, "me"), pytest.raises(Locked, match=f"process {os.getpid()} .* since 20"):
        run(second, RunOptions(threads=1, processes=0))
    with held(second, "me"), pytest.raises(Locked):
        world.run()
    run(second, RunOptions(threads=1, processes=0))


def test_two_targets_do_not_share_one_manifest_at_once(world: World) -> None:
    world.configure(world.text + "manifest: shared.sqlite\n")
    path = world.root / "other.yaml"
    path.write_text(world.text.replace("target: out", "target: out2"))
    for folder in ("out", "out2"):
        (world.root / folder).mkdir()
    with held(world.config, "me"), pytest.raises(Locked), held(load(path), "other"):
        pass


def test_one_who_waits_hears_signals(world: World) -> None:
    def stopped() -> None:
        raise Stopped("enough", ExitStatus.TERMINATED)

    world.target.mkdir()
    with held(world.config, "me"), pytest.raises(Stopped), held(world.config, "other", None, stopped):
        pass


def test_the_second_fails_says_who_works_or_goes_in_silence(world: World) -> None:
    world.fill(1)
    world.run()
    config = str(world.config_path)
    with held(world.config, "me"):
        failed = world.command("run", config)
        assert failed.returncode == ExitStatus.LOCKED
        assert f"process {os.getpid()} on " in failed.stderr
        assert " since 20" in failed.stderr
        assert failed.stderr.count("\n") == 1
        skipped = world.command("run", config, "--if-locked", "skip")
        assert (skipped.returncode, skipped.stdout, skipped.stderr) == (0, "", "")
    assert world.command("run", config).returncode == 0


def test_the_second_waits_if_told_to(world: World) -> None:
    world.fill(1)
    world.target.mkdir()
    ended: list[int] = []

    def second() -> None:
        ended.append(world.command("run", str(world.config_path), "--if-locked", "wait").returncode)

    waiting = threading.Thread(target=second)
    with held(world.config, "me"):
        waiting.start()
        waiting.join(0.5)  # longer than one that does not wait takes on a machine that has time for it
        assert (ended, world.tree()) == ([], {})
    waiting.join(100)
    assert ended == [ExitStatus.OK]
    assert len(world.tree()) == 1
