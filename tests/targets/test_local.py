from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.config.settings import Durability, Mtime, TargetSettings
from pipeline.errors import ErrorKind, PictureError, TargetTrouble
from pipeline.model.record import Written
from pipeline.targets import folders, output
from pipeline.targets.local import LocalTarget
from pipeline.targets.target import ToWrite

BYTES = bytes(range(256)) * 40
LONG_AGO = 1_600_000_000 * 10**9 + 123


@pytest.fixture
def rendition(tmp_path: Path) -> Iterator[int]:
    """A descriptor of `BYTES`."""
    path = tmp_path / "rendition"
    path.write_bytes(BYTES)
    descriptor = os.open(path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


@pytest.fixture
def target(root: Path) -> LocalTarget:
    made = LocalTarget(TargetSettings(root), "run1")
    made.prepare()
    return made


def everything(root: Path) -> list[str]:
    return sorted(os.path.relpath(os.path.join(at, name), root) for at, _, names in os.walk(root) for name in names)


def write(target: LocalTarget, path: str, descriptor: int, *, replace: bool, sha256: bytes | None = None) -> Written:
    """One file alone; what failed is raised."""
    (came,) = target.write_all([ToWrite(path, descriptor, replace, sha256)])
    if isinstance(came, PictureError):
        raise came
    return came


def failing(number: int) -> Callable[..., object]:
    def fail(*_: object, **__: object) -> object:
        raise OSError(number, os.strerror(number))

    return fail


# -- prepare


def test_a_target_is_made_where_its_parent_is_there(tmp_path: Path) -> None:
    LocalTarget(TargetSettings(tmp_path / "new"), "r").prepare()
    assert (tmp_path / "new").is_dir()
    assert everything(tmp_path / "new") == []


def test_what_a_kill_left_of_trying_the_target_is_removed_by_the_next_try(root: Path) -> None:
    for stop in (os.write, os.unlink):
        with pytest.MonkeyPatch.context() as patch, pytest.raises(TargetTrouble):
            patch.setattr(os, stop.__name__, failing(errno.EIO))
            LocalTarget(TargetSettings(root), "r1").prepare()
        LocalTarget(TargetSettings(root), "r2").prepare()
        assert everything(root) == []


def test_a_missing_parent_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(
        TargetTrouble, match=r"gone that is to hold the target new does not exist \(is its disk mounted"
    ):
        LocalTarget(TargetSettings(tmp_path / "gone/new"), "r").prepare()
    assert not (tmp_path / "gone").exists()


def test_a_file_in_the_targets_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"")
    with pytest.raises(TargetTrouble, match="new is not a folder"):
        LocalTarget(TargetSettings(tmp_path / "new"), "r").prepare()


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.ENOSPC, "no space left"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "Permission denied"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_a_target_that_takes_no_file_is_told_in_one_line_before_anything_is_read(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: int, text: str
) -> None:
    monkeypatch.setattr(output, "write", failing(number))
    with pytest.raises(TargetTrouble, match=text) as raised:
        LocalTarget(TargetSettings(root), "r").prepare()
    assert str(root) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert everything(root) == []


# -- write


def test_a_written_file_has_the_bytes_and_is_described_as_it_lies_there(
    target: LocalTarget, root: Path, rendition: int
) -> None:
    written = write(target, "a/b/x.jpg", rendition, replace=False)
    result = os.stat(root / "a/b/x.jpg")
    assert (root / "a/b/x.jpg").read_bytes() == BYTES
    assert written == Written("a/b/x.jpg", len(BYTES), result.st_mtime_ns, hashlib.sha256(BYTES).digest())
    assert everything(root) == ["a/b/x.jpg"]
    stat = target.stat("a/b/x.jpg")
    assert stat is not None
    assert (stat.size, stat.mtime_ns) == (written.size, written.mtime_ns)


def test_permissions_are_those_of_the_umask(target: LocalTarget, root: Path, rendition: int) -> None:
    before = os.umask(0o027)
    try:
        write(target, "x.jpg", rendition, replace=False)
    finally:
        os.umask(before)
    assert os.stat(root / "x.jpg").st_mode & 0o777 == 0o640


def test_nothing_is_for_everybody_to_write_to_whatever_the_umask(tmp_path: Path, rendition: int) -> None:
    before = os.umask(0)
    try:
        target = LocalTarget(TargetSettings(tmp_path / "made"), "run")
        target.prepare()
        write(target, "a/x.jpg", rendition, replace=False)
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "made", tmp_path / "made/a")] == [0o775] * 2
    assert os.stat(tmp_path / "made/a/x.jpg").st_mode & 0o777 == 0o664


def test_the_descriptor_is_read_from_its_start_wherever_it_stands(
    target: LocalTarget, root: Path, rendition: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "CHUNK", 1000)
    os.lseek(rendition, 77, os.SEEK_SET)
    write(target, "x.jpg", rendition, replace=False)
    assert (root / "x.jpg").read_bytes() == BYTES


@pytest.fixture(params=["renameat2", "renameat2 refused", "link", "neither"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How a free name is taken: the tests that ask for it hold for each."""
    if request.param == "renameat2 refused":  # as NFS does

        def refused(*_: object) -> int:
            ctypes.set_errno(errno.EINVAL)
            return -1

        monkeypatch.setattr(output, "exclusive_rename", lambda: refused)
    elif request.param != "renameat2":
        monkeypatch.setattr(output, "exclusive_rename", lambda: None)
    if request.param == "neither":
        monkeypatch.setattr(os, "link", failing(errno.EPERM))  # as FAT says
    return str(request.param)


def test_a_file_that_is_not_ours_is_never_overwritten(
    target: LocalTarget, root: Path, rendition: int, way: str
) -> None:
    (root / "x.jpg").write_bytes(b"mine")
    with pytest.raises(PictureError) as raised:
        write(target, "x.jpg", rendition, replace=False)
    assert raised.value.kind is ErrorKind.NOT_OURS
    assert (root / "x.jpg").read_bytes() == b"mine"
    assert everything(root) == ["x.jpg"]


def test_a_free_name_is_taken_and_nothing_is_left_beside_it(
    target: LocalTarget, root: Path, rendition: int, way: str
) -> None:
    write(target, "x.jpg", rendition, replace=False)
    assert (root / "x.jpg").read_bytes() == BYTES
    assert everything(root) == ["x.jpg"]


def test_of_many_writers_of_one_free_name_exactly_one_gets_it(target: LocalTarget, root: Path, way: str) -> None:
    start = threading.Barrier(8)
    outcomes: list[object] = []

    def writer(number: int) -> None:
        with tempfile.TemporaryFile() as file:
            file.write(b"%d" % number)
            file.flush()
            start.wait()
            try:
                outcomes.append(write(target, "new/x.jpg", file.fileno(), replace=False))
            except PictureError as error:
                outcomes.append(error.kind)

    threads = [threading.Thread(target=writer, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(ErrorKind.NOT_OURS) == 7
    assert everything(root) == ["new/x.jpg"]


def test_a_file_in_the_way_that_holds_the_same_bytes_is_kept_as_it_is(
    target: LocalTarget, root: Path, rendition: int
) -> None:
    (root / "x.jpg").write_bytes(BYTES)
    os.utime(root / "x.jpg", (5, 5))
    written = write(target, "x.jpg", rendition, replace=False)
    assert (written.size, written.mtime_ns) == (len(BYTES), 5_000_000_000)
    assert everything(root) == ["x.jpg"]


def test_our_own_file_is_replaced(target: LocalTarget, root: Path, rendition: int) -> None:
    (root / "x.jpg").write_bytes(b"old")
    write(target, "x.jpg", rendition, replace=True)
    assert (root / "x.jpg").read_bytes() == BYTES


def test_a_link_in_the_files_place_is_replaced_and_never_written_through(
    target: LocalTarget, root: Path, rendition: int, tmp_path: Path
) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (root / "x.jpg").symlink_to(tmp_path / "precious")
    write(target, "x.jpg", rendition, replace=True)
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert not (root / "x.jpg").is_symlink()


def test_a_file_in_the_way_with_the_very_same_bytes_is_kept_as_it_is(
    target: LocalTarget, root: Path, rendition: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "CHUNK", 1000)
    (root / "a").mkdir()
    (root / "a/x.jpg").write_bytes(BYTES)
    os.utime(root / "a/x.jpg", ns=(0, 77))
    before = os.stat(root / "a/x.jpg")
    written = write(target, "a/x.jpg", rendition, replace=False)
    assert written == Written("a/x.jpg", len(BYTES), 77, hashlib.sha256(BYTES).digest())
    assert os.stat(root / "a/x.jpg").st_ino == before.st_ino
    (root / "a/y.jpg").write_bytes(BYTES[:-1] + b"!")
    with pytest.raises(PictureError) as raised:
        write(target, "a/y.jpg", rendition, replace=False)
    assert raised.value.kind is ErrorKind.NOT_OURS
    assert everything(root) == ["a/x.jpg", "a/y.jpg"]


@pytest.mark.parametrize("path", ["x/y.jpg", "x/deep/y.jpg"])
def test_nothing_is_written_through_a_linked_folder(
    target: LocalTarget, root: Path, rendition: int, tmp_path: Path, path: str
) -> None:
    (tmp_path / "outside/deep").mkdir(parents=True)
    (root / "x").symlink_to(tmp_path / "outside")
    with pytest.raises(PictureError) as raised:
        write(target, path, rendition, replace=True)
    assert raised.value.kind is ErrorKind.BAD_NAME
    assert everything(tmp_path / "outside") == []


@pytest.mark.parametrize(
    "path",
    ["/etc/x", "../x", "a/../../x", "a//x", "./x", "", ".", "a/", "a\0b", ".pipeline/manifest.sqlite", "a/.pipeline-1"],
)
def test_a_path_that_leads_elsewhere_is_refused(target: LocalTarget, root: Path, rendition: int, path: str) -> None:
    with pytest.raises(PictureError) as raised:
        write(target, path, rendition, replace=True)
    assert raised.value.kind is ErrorKind.BAD_NAME
    assert everything(root) == []


@pytest.mark.parametrize("path", ["n" * 256 + ".jpg", "folder", "file/x.jpg", "n" * 256 + "/x.jpg"])
def test_a_name_that_cannot_be_costs_that_rendition_only(
    target: LocalTarget, root: Path, rendition: int, path: str
) -> None:
    (root / "folder").mkdir()
    (root / "file").write_bytes(b"")
    with pytest.raises(PictureError) as raised:
        write(target, path, rendition, replace=True)
    assert raised.value.kind is ErrorKind.BAD_NAME
    assert target.stat("n" * 300) is None
    assert everything(root) == ["file"]
    write(target, "good.jpg", rendition, replace=False)


@pytest.mark.parametrize("call", ["write", "fsync", "rename", "mkdir", "open"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_trouble_of_the_target_ends_the_run_and_leaves_nothing_behind(
    target: LocalTarget, root: Path, rendition: int, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    if call == "write":
        monkeypatch.setattr(output, "write", failing(number))
    else:
        monkeypatch.setattr(os, call, failing(number))
    with pytest.raises(TargetTrouble, match="cannot write to the target"):
        write(target, "new/x.jpg", rendition, replace=True)
    monkeypatch.undo()
    assert everything(root) == []


def test_a_nearly_full_disk_that_takes_half_a_chunk_makes_no_half_file(
    target: LocalTarget, root: Path, rendition: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write

    def half(descriptor: int, chunk: bytes) -> int:
        return real(descriptor, memoryview(chunk)[:1000])

    monkeypatch.setattr(os, "write", half)
    write(target, "x.jpg", rendition, replace=False)
    assert (root / "x.jpg").read_bytes() == BYTES


@pytest.mark.parametrize(("path", "error"), [("x.jpg", TargetTrouble), ("sub/x.jpg", PictureError)])
def test_no_permission_is_the_targets_trouble_at_its_root_only(
    target: LocalTarget, rendition: int, monkeypatch: pytest.MonkeyPatch, path: str, error: type[Exception]
) -> None:
    monkeypatch.setattr(output, "copy", failing(errno.EACCES))
    with pytest.raises(error):
        write(target, path, rendition, replace=True)


def test_a_root_that_lost_its_permission_is_not_blamed_on_its_folders(
    target: LocalTarget, rendition: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "mkdir", failing(errno.EACCES))
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(TargetTrouble):
        write(target, "sub/x.jpg", rendition, replace=True)


def test_a_folder_removed_under_our_feet_is_made_again(target: LocalTarget, root: Path, rendition: int) -> None:
    write(target, "a/b/x.jpg", rendition, replace=False)
    for path in ("a/b/x.jpg", "a/b", "a"):
        (os.rmdir if (root / path).is_dir() else os.unlink)(root / path)
    write(target, "a/b/x.jpg", rendition, replace=False)
    assert everything(root) == ["a/b/x.jpg"]


def test_a_removed_target_is_trouble(target: LocalTarget, root: Path, rendition: int) -> None:
    root.rmdir()
    with pytest.raises(TargetTrouble, match="it has been removed or moved"):
        write(target, "x.jpg", rendition, replace=False)
    with pytest.raises(TargetTrouble, match="it has been removed or moved"):
        target.check()


def test_many_folders_cost_few_descriptors(root: Path, rendition: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # a thousand real ones would take seconds
    for durability in Durability:
        target = LocalTarget(TargetSettings(root, durability=durability), f"r{durability}")
        before = len(os.listdir("/proc/self/fd"))
        for number in range(600):
            write(target, f"{durability}-{number}/x.jpg", rendition, replace=False)
        assert len(os.listdir("/proc/self/fd")) - before < 300
        target.sync()
        assert len(os.listdir("/proc/self/fd")) - before < 140


# -- sync


def test_every_folder_with_a_new_name_is_synced_and_so_are_new_parents(
    target: LocalTarget, root: Path, rendition: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        real(descriptor)

    target.sync()
    monkeypatch.setattr(os, "fsync", fsync)
    write(target, "a/b/x.jpg", rendition, replace=False)
    assert len(synced) == 1  # the file
    target.sync()
    assert set(synced[1:]) == {os.stat(root / path).st_ino for path in (".", "a", "a/b")}
    target.sync()
    assert len(synced) == 4
    write(target, "a/b/y.jpg", rendition, replace=False)
    target.sync()
    assert synced[5:] == [os.stat(root / "a/b").st_ino]


def test_without_durability_nothing_is_synced(root: Path, rendition: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    target = LocalTarget(TargetSettings(root, durability=Durability.NONE), "r")
    write(target, "a/x.jpg", rendition, replace=False)
    target.sync()


def test_after_a_failed_sync_nothing_is_called_durable_any_more(
    target: LocalTarget, rendition: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(target, "a/x.jpg", rendition, replace=False)
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(TargetTrouble, match="Input/output error"):
        target.sync()
    monkeypatch.undo()  # the kernel tells of a lost write once
    with pytest.raises(TargetTrouble, match="Input/output error"):
        target.sync()
    with pytest.raises(TargetTrouble, match="Input/output error"):
        write(target, "a/y.jpg", rendition, replace=False)


def test_a_sync_waits_for_one_that_is_under_way(
    target: LocalTarget, rendition: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(target, "a/x.jpg", rendition, replace=False)
    inside, go_on = threading.Event(), threading.Event()
    real = os.fsync
    order: list[str] = []

    def fsync(descriptor: int) -> None:
        inside.set()
        go_on.wait()
        real(descriptor)
        order.append("synced")

    monkeypatch.setattr(os, "fsync", fsync)
    first = threading.Thread(target=target.sync)
    first.start()
    inside.wait()

    def second_sync() -> None:
        target.sync()
        order.append("second returned")

    second = threading.Thread(target=second_sync)
    second.start()
    go_on.set()
    second.join()
    first.join()
    assert order[-1] == "second returned"
    assert order.count("synced") >= 2


# -- dates and permissions


def test_a_file_has_the_mode_of_the_config_or_what_the_umask_leaves(root: Path, rendition: int) -> None:
    write(LocalTarget(TargetSettings(root, mode=0o640), "r1"), "x.jpg", rendition, replace=False)
    before = os.umask(0o027)
    try:
        write(LocalTarget(TargetSettings(root), "r2"), "y.jpg", rendition, replace=False)
        write(LocalTarget(TargetSettings(root, mode=0o666), "r3"), "z.jpg", rendition, replace=False)
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((root / name).stat().st_mode) for name in ("x.jpg", "y.jpg", "z.jpg")]
    assert modes == [0o640, 0o640, 0o666]


def test_a_target_whose_files_cannot_have_the_mode_is_refused_before_anything_is_read(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fchmod", failing(errno.EPERM))  # as FAT does
    LocalTarget(TargetSettings(root), "r1").prepare()
    with pytest.raises(TargetTrouble, match="files there cannot have the mode 0640, as target.mode says; leave it out"):
        LocalTarget(TargetSettings(root, mode=0o640), "r2").prepare()
    assert everything(root) == []


@pytest.mark.parametrize("together", [1, 2])
def test_a_target_that_keeps_dates_gives_a_file_that_of_its_source_and_records_it(
    root: Path, rendition: int, together: int
) -> None:
    files = [ToWrite(f"{number}.jpg", rendition, False, mtime_ns=LONG_AGO + number) for number in range(together)]
    written = LocalTarget(TargetSettings(root, mtime=Mtime.SOURCE), "r1").write_all(files)
    found = [(root / file.path).stat().st_mtime_ns for file in files]
    assert [file.mtime_ns for file in written if isinstance(file, Written)] == found
    assert found == [LONG_AGO + number for number in range(together)]
    for file in files:
        os.unlink(root / file.path)
    LocalTarget(TargetSettings(root), "r2").write_all(files)
    assert (root / "0.jpg").stat().st_mtime_ns > LONG_AGO + 10**9


# -- reading and sweeping


def test_a_folder_stays_open_while_a_file_in_it_is_opened(
    target: LocalTarget, rendition: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(target, "a/x.jpg", rendition, replace=False)
    monkeypatch.setattr(folders, "KEPT", 0)  # as if other threads had gone through many folders meanwhile
    with target.open_for_reading("a/x.jpg") as file:
        assert file.read() == BYTES


def test_of_many_threads_that_come_first_one_opens_the_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = LocalTarget(TargetSettings(root), "run1")
    both, opened, really = threading.Barrier(2), [], os.open

    def slowly(path: object, *arguments: object, **keywords: object) -> int:
        if path == root:
            opened.append(path)
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait(0.2)  # for the other one, which must not come
        return really(path, *arguments, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", slowly)
    threads = [threading.Thread(target=target.stat, args=("x.jpg",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 1


def test_a_file_is_opened_for_reading_without_following_links(
    target: LocalTarget, root: Path, rendition: int, tmp_path: Path
) -> None:
    write(target, "a/x.jpg", rendition, replace=False)
    with target.open_for_reading("a/x.jpg") as file:
        assert file.read() == BYTES
    with pytest.raises(FileNotFoundError):
        target.open_for_reading("a/gone.jpg")
    (root / "a/link.jpg").symlink_to("x.jpg")
    (root / "b").symlink_to("a")
    os.mkfifo(root / "fifo.jpg")
    for path in ("a/link.jpg", "b/x.jpg", "fifo.jpg", "../rendition"):
        with pytest.raises(PictureError) as raised:
            target.open_for_reading(path)
        assert raised.value.kind is ErrorKind.BAD_NAME


def test_sweeping_removes_what_dead_runs_of_ours_left_and_nothing_else(root: Path) -> None:
    names = [
        ".pipeline-dead1-1",
        "a/.pipeline-dead1-22",
        "a/b/.pipeline-dead2-3",
        "a/.pipeline-other-1",
        ".pipeline-run2-1",
        ".pipeline-dead1-x",
        "x.pipeline-dead1-1",
    ]
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    (root / ".pipeline-dead1-7").mkdir()
    (root / "a/.pipeline-dead1-8").symlink_to("x")
    target = LocalTarget(TargetSettings(root), "run2")
    assert target.sweep({"dead1", "dead2"}, ["", "gone"]) == 1
    assert target.sweep({"dead1", "dead2"}) == 2
    assert everything(root) == sorted([*names[3:], "a/.pipeline-dead1-8"])


def test_stats_of_what_is_not_there_are_none(tmp_path: Path, root: Path) -> None:
    assert LocalTarget(TargetSettings(tmp_path / "gone"), "r").stats(["a", "b/c"]) == [None, None]
    (root / "file").write_bytes(b"")
    assert LocalTarget(TargetSettings(root), "r").stats(["a", "file/c", "x" * 300, "x" * 300 + "/a"]) == [None] * 4
