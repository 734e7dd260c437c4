"""One run at a time, and never a lock that nobody holds."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.errors import ExitStatus, Locked, ManifestTrouble
from pipeline.manifest.lock import Holder, RunLock

_HOLD = """
import sys
from pathlib import Path
from pipeline.manifest.lock import Holder, RunLock
with RunLock(Path(sys.argv[1]), run="run-7"):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def _held_elsewhere(manifest: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", _HOLD, str(manifest)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        yield child
        child.kill()


def test_the_second_is_told_who_holds_the_lock_since_when(tmp_path: Path) -> None:
    manifest = tmp_path / ".pipeline" / "manifest.sqlite"
    with _held_elsewhere(manifest) as child:
        with pytest.raises(Locked) as caught:
            RunLock(manifest).acquire()
        text = str(caught.value)
        assert caught.value.status is ExitStatus.LOCKED
        assert text.startswith(f"{manifest}.lock is held by another run: process {child.pid} on {os.uname().nodename} ")
        assert " since 20" in text
        assert text.endswith("run run-7")
        holder = RunLock(manifest).holder()
        assert holder is not None
        assert (holder.pid, holder.run) == (child.pid, "run-7")


def test_a_killed_holder_is_no_holder_although_its_text_stays(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.sqlite"
    with _held_elsewhere(manifest) as child:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        assert "run-7" in RunLock(manifest).path.read_text()
        assert RunLock(manifest).holder() is None
        with RunLock(manifest, run="next") as lock:
            assert json.loads(lock.path.read_text())["run"] == "next"


def test_a_holder_that_only_waits_to_be_reaped_is_dead() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    holder = Holder(process.pid, socket.gethostname(), 0.0)
    assert not holder.is_dead()
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert holder.is_dead()
    process.communicate()
    assert holder.is_dead()


@pytest.mark.parametrize("text", ["", "{", '{"pid": 1}', "\x00", '{"pid": "x", "host": 1, "started": 0}'])
def test_a_text_that_says_nothing_keeps_nobody_out(tmp_path: Path, text: str) -> None:
    manifest = tmp_path / "manifest.sqlite"
    RunLock(manifest).path.write_text(text)
    with RunLock(manifest) as lock:
        lock.path.write_text(text)
        with pytest.raises(Locked, match="held by another run that has not said which"):
            RunLock(manifest).acquire()


def test_one_who_waits_gets_the_lock_when_it_is_free(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.sqlite"
    first, second = RunLock(manifest), RunLock(manifest)
    first.acquire()
    waiting = threading.Thread(target=second.acquire, args=(None,))
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    first.release()
    waiting.join(30)
    assert not waiting.is_alive()
    second.release()
    assert RunLock(manifest).holder() is None


def test_one_who_waits_can_be_called_off(tmp_path: Path) -> None:
    def enough() -> None:
        raise InterruptedError

    manifest = tmp_path / "manifest.sqlite"
    with RunLock(manifest), pytest.raises(InterruptedError), RunLock(manifest, wait=None, check=enough):
        pass


def test_the_file_stays_and_no_child_inherits_it(tmp_path: Path) -> None:
    lock = RunLock(tmp_path / "manifest.sqlite")
    lock.acquire()
    (held,) = (fd for fd in os.listdir("/proc/self/fd") if os.path.realpath(f"/proc/self/fd/{fd}") == str(lock.path))
    assert not os.get_inheritable(int(held))
    lock.release()
    lock.release()
    assert lock.path.read_text() == ""
    assert stat.S_IMODE(lock.path.stat().st_mode) == 0o600
    assert lock.holder() is None


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_something_else_in_the_place_of_the_lock_ends_in_one_clear_line(tmp_path: Path, kind: str) -> None:
    lock = RunLock(tmp_path / "manifest.sqlite")
    if kind == "folder":
        lock.path.mkdir()
    else:
        lock.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ManifestTrouble, match="cannot open the lock"):
        lock.acquire()
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    "content", [b"root:x:0:0\n", b"\xff\xd8\xff\xe0", bytes(10_000), b'{"pid": 1}' + b" " * 5000, b"{}"]
)
def test_a_file_that_is_no_lock_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine"
    path.write_bytes(content)
    with pytest.raises(ManifestTrouble, match=f"{path}: this is no lock but another file, and was left as it is"):
        RunLock(tmp_path / "manifest.sqlite", path=path).acquire()
    assert path.read_bytes() == content


@pytest.mark.parametrize("content", [b"", bytes(90), b'{"p', b'{"pid": 12, "host": "a'])
def test_what_a_power_cut_leaves_of_a_lock_keeps_nobody_out(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "local.lock"
    path.write_bytes(content)
    with RunLock(tmp_path / "manifest.sqlite", path=path) as lock:
        assert (holder := lock.holder()) is not None
        assert holder.pid == os.getpid()
