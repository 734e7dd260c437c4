"""Folders that other users fill: whatever lies there, or moves while a run looks, has a status and harms nobody."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.errors import ExitStatus, printable
from pipeline.manifest.store import Manifest
from pipeline.model.source import Stat
from pipeline.model.spec import Limits
from pipeline.sources import reading
from pipeline.sources.local import LocalSource
from pipeline.sources.source import Picture
from tests.world import LONG_AGO, World, jpeg

SECRET = jpeg((1, 2, 3), (50, 40))
SIMPLE = "source: photos\ntarget: {path: out, name: '{dir}/{stem}-{rendition}.{ext}'}\n"
THUMB = "renditions:\n  thumb: {width: 32, height: 32}\n"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder that is nobody's business, with a picture."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "secret.jpg").write_bytes(SECRET)
    return folder


def told(world: World) -> dict[str, tuple[str, str]]:
    """Status of every source in the manifest, and its error or first warning."""
    with Manifest.reader_at(world.config.manifest) as reader:
        rows = reader.connection.execute("SELECT path, status, error, detail, warnings FROM source").fetchall()
        statuses = {}
        for path, status, error, detail, warnings in rows:
            reason = " ".join(filter(None, (error, detail))) or " ".join(json.loads(warnings))
            statuses[os.fsdecode(path)] = (str(status), reason)
        return statuses


# -- what is no file


def _socket(path: Path) -> None:
    here = os.open(path.parent, os.O_PATH)  # a socket's address is short
    with closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(f"/proc/self/fd/{here}/{path.name}")
    os.close(here)


def _device(path: Path) -> None:
    if os.geteuid():
        pytest.skip("devices are root's")
    os.mknod(path, 0o020666, os.makedev(1, 5))  # /dev/zero: who reads it never comes to an end


@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize(
    ("make", "reason"),
    [(os.mkfifo, "a FIFO"), (_socket, "a socket"), (_device, "a device")],
    ids=["fifo", "socket", "device"],
)
def test_what_is_no_file_is_skipped_with_its_kind_and_never_opened(
    world: World, settled: None, make: Callable[[Path], None], reason: str, follow: bool
) -> None:
    source = f"source: {{path: photos, follow_symlinks: {str(follow).lower()}}}"
    world.configure(world.text.replace("source: photos", source))
    world.put("a.jpg")
    make(world.source / "trap.jpg")
    (world.source / "link.jpg").symlink_to("trap.jpg")
    summary = world.run()
    assert summary.status == ExitStatus.OK
    link = reason if follow else "a symbolic link"
    assert told(world) == {"a.jpg": ("done", ""), "trap.jpg": ("skipped", reason), "link.jpg": ("skipped", link)}
    again = world.run()
    assert (again.status, again.done, told(world)["trap.jpg"]) == (ExitStatus.OK, 0, ("skipped", reason))


def test_links_lead_nowhere_unless_they_are_asked_for(world: World, settled: None, elsewhere: Path) -> None:
    world.put("a/x.jpg")
    for name, to in (
        ("out.jpg", elsewhere / "secret.jpg"),
        ("folder", elsewhere),
        ("loop.jpg", "loop.jpg"),
        ("up", ".."),
        ("gone.jpg", "nowhere"),
    ):
        (world.source / name).symlink_to(to)
    assert world.run().status == ExitStatus.OK
    assert sorted(world.tree()) == ["a/x-thumb.jpg"]
    assert told(world)["out.jpg"] == ("skipped", "a symbolic link")

    shutil.rmtree(world.target)
    world.configure(world.text.replace("source: photos", "source: {path: photos, follow_symlinks: true}"))
    assert world.run().status == ExitStatus.OK
    assert sorted(world.tree()) == ["a/x-thumb.jpg"]
    for name in ("out.jpg", "folder", "up"):
        assert told(world)[name] == ("skipped", "a symbolic link that leads out of the source")

    shutil.rmtree(world.target)
    world.configure(world.text.replace("follow_symlinks: true", "follow_symlinks: anywhere"))
    assert world.run().status == ExitStatus.OK
    statuses = told(world)
    assert statuses["out.jpg"] == statuses["folder/secret.jpg"] == ("done", "")
    assert statuses["loop.jpg"] == statuses["gone.jpg"] == ("skipped", "a broken symbolic link")
    assert [name for name in statuses if name.endswith("x.jpg")] == ["a/x.jpg"], "a loop leads to a picture once"
    made = sorted(world.tree())
    assert {"a/x-thumb.jpg", "folder/secret-thumb.jpg", "out-thumb.jpg"} <= set(made)
    assert not any(name.startswith("up/photos") for name in made)


def test_a_folder_named_like_a_picture_is_a_folder(world: World, settled: None) -> None:
    world.put("holiday.jpg/a.jpg")
    assert world.run().status == ExitStatus.OK
    assert list(world.tree()) == ["holiday.jpg/a-thumb.jpg"]


# -- what moves between the scan and the opening


def _swapped(name: str, by: Callable[[World, Path], None]) -> Callable[[World, Path], None]:
    def swap(world: World, elsewhere: Path) -> None:
        path = world.source / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        by(world, elsewhere)

    return swap


def _another_file(world: World, elsewhere: Path) -> None:
    (elsewhere / "secret.jpg").rename(world.source / "a/x.jpg")


SWAPS: dict[str, Callable[[World, Path], None]] = {
    "gone": _swapped("a/x.jpg", lambda world, elsewhere: None),
    "a FIFO": _swapped("a/x.jpg", lambda world, elsewhere: os.mkfifo(world.source / "a/x.jpg")),
    "a socket": _swapped("a/x.jpg", lambda world, elsewhere: _socket(world.source / "a/x.jpg")),
    "a folder": _swapped("a/x.jpg", lambda world, elsewhere: (world.source / "a/x.jpg").mkdir()),
    "a link": _swapped(
        "a/x.jpg", lambda world, elsewhere: (world.source / "a/x.jpg").symlink_to(elsewhere / "secret.jpg")
    ),
    "another file": _another_file,
    "a linked folder": _swapped("a", lambda world, elsewhere: (world.source / "a").symlink_to(elsewhere)),
}


@pytest.mark.parametrize(("swap", "processes"), [*((swap, 0) for swap in SWAPS), ("a link", 1)])
def test_what_took_a_pictures_place_since_the_scan_is_not_read(
    world: World, settled: None, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, swap: str, processes: int
) -> None:
    world.put("a/x.jpg")
    world.put("b/y.jpg")
    (elsewhere / "x.jpg").write_bytes(SECRET)
    really = LocalSource.read
    swapped: list[str] = []

    def read(self: LocalSource, source: str, stat: Stat, limits: Limits) -> Picture:
        if source == "a/x.jpg" and not swapped:
            swapped.append(source)
            SWAPS[swap](world, elsewhere)
        return really(self, source, stat, limits)

    monkeypatch.setattr(LocalSource, "read", read)
    summary = world.run(threads=1, processes=processes)
    assert (summary.status, summary.pictures) == (ExitStatus.OK, {"done": 1, "vanished": 1})
    (passed,) = summary.passed_over
    assert (passed.source, passed.status) == ("a/x.jpg", "vanished")
    assert passed.reason
    assert list(world.tree()) == ["b/y-thumb.jpg"]
    assert world.run().status == ExitStatus.OK, "the next run sees what there is now"


# -- names

NAMES = [
    b"line\nbreak.jpg",
    b"\x1b[2Jescape.jpg",
    b"bell\x07 tab\t return\r.jpg",
    b"invalid-\xff\xfe.jpg",
    b"half-\xc3.jpg",
    "right-\u202eto-left.jpg".encode(),
    "zero-\u200bwidth.jpg".encode(),
    b"{dir}{stem}{0}{x!r:>9}.jpg",
    b"%s %(x)d $HOME `id`;.jpg",
    b"-rf.jpg",
    b" .jpg",
    b"'\"<&>.jpg",
    b"=1+1.jpg",
    b"a\\b.jpg",
    b"C:.jpg",
    b"CON.jpg",
    b"x..jpg",
    "e\u0301.jpg".encode(),
    b"x" * (255 - len("-thumb.jpg")) + b".jpg",
]


def test_every_name_has_its_target_and_comes_back_byte_for_byte(world: World, settled: None) -> None:
    world.configure(SIMPLE + THUMB)
    for number, name in enumerate(NAMES):
        folder = os.path.join(os.fsencode(world.source), b"{dir}\n\xff")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, name[:251]), "wb") as file:
            file.write(jpeg((number, 2 * number, 3 * number)))
    names = {b"{dir}\n\xff/" + name[:251] for name in NAMES}
    assert world.run().failures == ()
    assert {os.fsencode(name) for name in told(world)} == names
    there = {
        os.path.relpath(os.path.join(at, name), os.fsencode(world.target))
        for at, _, files in os.walk(os.fsencode(world.target))
        for name in files
        if b".pipeline" not in at
    }
    assert there == {name.removesuffix(b".jpg") + b"-thumb.jpg" for name in names}


def test_names_that_leave_no_room_for_the_rendition_get_shorter_targets_and_are_found_again(
    world: World, settled: None
) -> None:
    for last in "yz":
        world.put("y" * 250 + last + ".jpg")
    world.settle()
    assert world.run().pictures == {"done": 2}
    assert len(world.tree()) == 2
    assert all(name.endswith("-thumb.jpg") and len(name) < 255 for name in world.tree())
    assert world.run().pictures == {"unchanged": 2}
    assert world.command("verify", str(world.config_path)).returncode == 0


@pytest.mark.parametrize("name", [b"\x1b]0;owned\x07\n2Jx.jpg", b"\xff\xfe\x9b31m.jpg", "\u202egpj.x.jpg".encode()])
def test_a_name_cannot_touch_the_terminal(world: World, name: bytes) -> None:
    with open(os.path.join(os.fsencode(world.source), name), "wb") as file:
        file.write(b"no picture")
    told = subprocess.run(
        [sys.executable, "-m", "pipeline", "run", "-v", str(world.config_path)],
        capture_output=True,
        check=False,
        timeout=100,
    )
    assert told.returncode == ExitStatus.FAILED
    line, *_ = told.stderr.decode("utf-8", "strict").splitlines()
    assert line.startswith(printable(os.fsdecode(name)))
    assert not set(told.stderr.decode()) & set("\x1b\x07\x9b\u202e")
    for command in ("failures", "status", "verify"):
        said = world.command(command, str(world.config_path))
        assert not set(said.stdout + said.stderr) & set("\x1b\x07\x9b\u202e"), command


def test_folders_that_the_program_keeps_for_itself_cannot_be_reached_by_a_name(world: World, settled: None) -> None:
    world.configure("source: photos\ntarget: {path: out, name: '{stem}/{rendition}.{ext}'}\n" + THUMB)
    world.put(".pipeline.jpg")  # hidden: never looked at
    world.put("a/..jpg")
    world.put("pipeline.jpg")
    assert world.run().status == ExitStatus.OK
    assert list(world.tree()) == ["pipeline/thumb.jpg"]


# -- files that change, grow or vanish while they are read


def test_a_picture_that_does_not_stop_changing_fails_and_is_made_once_it_rests(
    world: World, settled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put("a.jpg")
    growing = world.put("b.jpg")
    really = reading.read

    def read(descriptor: int, size: int) -> bytes:
        chunk = really(descriptor, size)
        if os.path.samestat(os.fstat(descriptor), growing.stat()):
            with growing.open("ab") as file:
                file.write(b"more")
        return chunk

    monkeypatch.setattr(reading, "read", read)
    world.configure(world.text + "limits: {file_size: 100 kB}\n")
    summary = world.run()
    assert (summary.status, summary.pictures) == (ExitStatus.FAILED, {"done": 1, "failed": 1})
    assert told(world)["b.jpg"][0] == "failed"
    assert any(kind in told(world)["b.jpg"][1] for kind in ("changed while read", "too many bytes"))
    monkeypatch.undo()
    monkeypatch.setattr(LocalSource, "settled", lambda self, source, stat, now: True)
    world.put("b.jpg")
    assert world.run().pictures == {"done": 1, "unchanged": 1}


@pytest.mark.parametrize("processes", [0, 1])
@pytest.mark.parametrize("kept", [0, 300], ids=["all is gone", "half of it"])
def test_a_picture_that_is_written_anew_in_its_place_is_changed_and_not_broken(
    world: World, settled: None, monkeypatch: pytest.MonkeyPatch, kept: int, processes: int
) -> None:
    for number in range(4):
        world.put(f"{number}.jpg")
    really = LocalSource.read
    whole = (world.source / "1.jpg").read_bytes()

    def read(self: LocalSource, source: str, stat: Stat, limits: Limits) -> Picture:
        if source == "1.jpg":
            os.truncate(world.source / source, kept)  # and the rest has yet to come
        return really(self, source, stat, limits)

    monkeypatch.setattr(LocalSource, "read", read)
    summary = world.run(threads=1, processes=processes)
    assert summary.pictures == {"done": 3, "failed": 1}
    assert [failure.error.split(":")[0] for failure in summary.failures] == ["changed while read"]
    monkeypatch.setattr(LocalSource, "read", really)
    (world.source / "1.jpg").write_bytes(whole)
    assert world.run().pictures == {"done": 1, "unchanged": 3}


def test_young_files_are_deferred_until_they_have_settled(world: World) -> None:
    world.configure(world.text.replace("source: photos", "source: {path: photos, settle: 3600}"))
    for name, when in (("now.jpg", None), ("old.jpg", LONG_AGO), ("future.jpg", 4_102_444_800)):
        path = world.put(name)
        if when is not None:
            os.utime(path, (when, when))  # an mtime is what its owner likes: the ctime tells
    summary = world.run()
    assert (summary.status, summary.pictures) == (ExitStatus.OK, {"deferred": 3})
    assert {passed.reason for passed in summary.passed_over} == {"it was changed within the last 3600 s"}
    assert world.tree() == {}
    world.configure(world.text.replace("settle: 3600", "settle: 0"))
    assert world.run().pictures == {"done": 3}


def test_what_was_passed_over_is_listed_with_its_reason_for_who_asks(world: World) -> None:
    world.configure(world.text.replace("source: photos", "source: {path: photos, settle: 3600}"))
    world.put("young.jpg")
    os.mkfifo(world.source / "trap\n.jpg")
    done = world.command("run", "-v", str(world.config_path))
    assert (done.returncode, done.stdout) == (0, "")
    *lines, sentence = done.stderr.splitlines()
    assert lines == ["trap\\n.jpg: skipped: a FIFO", "young.jpg: deferred: it was changed within the last 3600 s"]
    assert "1 deferred, 1 skipped" in sentence
    assert world.command("run", str(world.config_path)).stderr == ""


def test_hard_links_are_pictures_of_their_own(world: World, settled: None, elsewhere: Path) -> None:
    world.put("a.jpg")
    os.link(world.source / "a.jpg", world.source / "b.jpg")
    assert world.run().pictures == {"done": 2}
    assert world.tree()["a-thumb.jpg"] == world.tree()["b-thumb.jpg"]

    os.link(world.target / "a-thumb.jpg", elsewhere / "kept.jpg")  # somebody keeps what was made
    kept = (elsewhere / "kept.jpg").read_bytes()
    world.put("a.jpg", jpeg((9, 9, 9)))
    assert world.run().pictures == {"done": 2}
    assert world.tree()["a-thumb.jpg"] != kept == (elsewhere / "kept.jpg").read_bytes()


# -- times

YEARS = {"1901": -2_147_483_648, "1960": -315_619_200, "1970": 0, "2100": 4_102_444_800, "2400": 13_569_465_600}


def test_times_from_1901_to_2400_are_times_like_others(world: World, settled: None) -> None:
    for year, when in YEARS.items():
        path = world.put(f"{year}.jpg")
        os.utime(path, (when, when))
    first = world.run()
    assert (first.status, first.done) == (ExitStatus.OK, len(YEARS))
    again = world.run()
    assert (again.status, again.pictures) == (ExitStatus.OK, {"unchanged": len(YEARS)})
    assert not world.command("manifest", "export", str(world.config_path)).stderr
    for year, when in YEARS.items():
        os.utime(world.source / f"{year}.jpg", (when + 1, when + 1))
    assert world.run().done == 0, "another time is no other picture"


# -- permissions


@pytest.fixture
def bound() -> Callable[[], None]:
    """What to call in a process so that root, too, has to ask for permission."""

    def drop() -> None:
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP

    return drop


def test_a_folder_without_permission_fails_alone_and_loses_nothing(world: World, bound: Callable[[], None]) -> None:
    world.put("a/x.jpg")
    world.put("b/y.jpg")
    world.put("c/z.jpg")
    assert world.run().done == 3
    (world.source / "a").chmod(0)
    (world.source / "b/y.jpg").chmod(0)
    os.utime(world.source / "b/y.jpg")
    try:
        done = world.process("run", "-v", "--prune", str(world.config_path), preexec_fn=bound)
        assert done.returncode == ExitStatus.FAILED
        assert "a: unreadable: the folder cannot be listed: Permission denied" in done.stderr
        assert "b/y.jpg: unreadable: Permission denied" in done.stderr
        assert "Traceback" not in done.stderr
        assert told(world)["a/x.jpg"] == ("done", ""), "what is known of it stays known"
        assert sorted(world.tree()) == ["a/x-thumb.jpg", "b/y-thumb.jpg", "c/z-thumb.jpg"]
        again = world.process("run", "-v", str(world.config_path), preexec_fn=bound)
        assert again.returncode == ExitStatus.OK, "it was told once"
    finally:
        (world.source / "a").chmod(0o755)
        (world.source / "b/y.jpg").chmod(0o644)
    assert world.run().status == ExitStatus.OK
    assert set(told(world).values()) == {("done", "")}


# -- the target


def test_nothing_is_written_outside_of_the_target(world: World, settled: None, elsewhere: Path) -> None:
    world.put("a/secret.jpg")
    world.put("b/x.jpg")
    world.put("c.jpg")
    world.target.mkdir()
    (world.target / "a").symlink_to(elsewhere)
    (world.target / "b").symlink_to("../elsewhere")
    (world.target / "c-thumb.jpg").symlink_to(elsewhere / "new.jpg")
    before = sorted(os.listdir(elsewhere))
    for adopt in (False, True):
        done = world.command("run", str(world.config_path), *(["--adopt"] if adopt else []))
        assert done.returncode == (ExitStatus.OK if adopt else ExitStatus.FAILED)  # told once, and no better for it
        assert "Traceback" not in done.stderr
        assert sorted(os.listdir(elsewhere)) == before
        assert (elsewhere / "secret.jpg").read_bytes() == SECRET
    assert {status for status, _ in told(world).values()} == {"failed"}


def test_a_folder_that_becomes_a_link_while_the_run_goes_on_is_not_followed(
    world: World, settled: None, elsewhere: Path
) -> None:
    world.put("a/x.jpg")
    assert world.run().done == 1
    (world.target / "a").rename(world.target / "moved")
    (world.target / "a").symlink_to(elsewhere)
    world.put("a/y.jpg")
    world.put("a/x.jpg", jpeg((4, 5, 6)))
    summary = world.run()
    assert (summary.status, summary.failed) == (ExitStatus.FAILED, 2)
    assert os.listdir(elsewhere) == ["secret.jpg"]
