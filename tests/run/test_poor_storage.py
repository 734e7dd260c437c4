"""File systems that cannot do all that a run would like to have: they are said once, and less is promised."""

from __future__ import annotations

import errno
import fcntl
import os
import stat

import pytest

from pipeline.errors import ExitStatus, Locked, ManifestTrouble, PipelineError
from pipeline.run.locking import held
from tests.world import World

REAL_FSYNC = os.fsync


def no_sync_of_folders(monkeypatch: pytest.MonkeyPatch, number: int) -> set[int]:
    """Folders answer a sync with this error; which were asked, by inode."""
    asked: set[int] = set()

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            asked.add(os.fstat(descriptor).st_ino)
            raise OSError(number, os.strerror(number))
        REAL_FSYNC(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return asked


@pytest.mark.parametrize("durability", ["sync", "none"])
@pytest.mark.parametrize(
    "number", [errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.ENOSYS, errno.EBADF], ids=errno.errorcode.get
)
def test_folders_that_cannot_be_synced_are_said_once_and_the_run_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch, number: int, durability: str
) -> None:
    world.configure(world.text.replace("target: out", f"target: {{path: out, durability: {durability}}}"))
    world.fill(3)
    no_sync_of_folders(monkeypatch, number)
    summary = world.run()
    assert (summary.status, summary.pictures) == (ExitStatus.OK, {"done": 3})
    said = [warning for warning in summary.warnings if "folders cannot be synced" in warning]
    assert len(said) == (durability == "sync")
    world.put("more.jpg")
    assert world.run().warnings == ()


def test_a_disk_error_while_a_folder_is_synced_ends_the_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fill(1)
    world.run()
    world.put("more.jpg")
    no_sync_of_folders(monkeypatch, errno.EIO)
    with pytest.raises(PipelineError, match="Input/output error"):
        world.run()


def test_without_durability_no_folder_of_the_target_is_synced(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.configure(world.text.replace("target: out", "target: {path: out, durability: none}"))
    world.fill(1)
    world.run()
    world.put("more/x.jpg")
    asked = no_sync_of_folders(monkeypatch, errno.EINVAL)
    assert world.run().pictures["done"] == 1
    assert asked <= {(world.target / ".pipeline").stat().st_ino}  # the manifest's, for its backup


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP], ids=errno.errorcode.get)
def test_a_target_without_locks_names_the_key_that_helps_and_the_key_does(
    world: World, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    world.fill(2)
    real = fcntl.flock

    def flock(descriptor: int, how: int) -> None:
        if os.readlink(f"/proc/self/fd/{descriptor}").startswith(str(world.target)):
            raise OSError(number, os.strerror(number))
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(ManifestTrouble, match="gives no locks .* with `lock:` in the config"):
        world.run()
    world.configure(world.text + "lock: local.lock\n")
    assert world.run().pictures == {"done": 2}
    with held(world.config, "me"), pytest.raises(Locked, match="local.lock is held by another run"):
        world.run()
    monkeypatch.undo()
    done = world.command("doctor", str(world.config_path))
    assert "ok   lock: locks hold" in done.stdout
