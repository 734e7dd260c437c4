from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import resource
import stat as modes
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.config.settings import SourceSettings
from pipeline.errors import ErrorKind, PictureError, SourceTrouble
from pipeline.model.source import Stat
from pipeline.model.spec import Limits
from pipeline.sources import descent, reading
from pipeline.sources.local import LocalSource
from pipeline.sources.source import Grown, Picture, Unsupported, Vanished
from tests.descriptors import none_stays_open

JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(range(256)) * 20


def content(picture: Picture) -> bytes:
    return os.pread(picture.held.descriptor, picture.held.size, 0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x.jpg").write_bytes(JPEG)
    return tmp_path


def at(source: LocalSource, path: str = "a/x.jpg") -> Stat:
    folder, _, name = path.rpartition("/")
    (stat,) = source.stats(folder, [name])
    assert stat is not None
    return stat


def local(root: Path, **settings: object) -> LocalSource:
    return LocalSource(SourceSettings(root, **settings))  # type: ignore[arg-type]


def test_a_picture_holds_the_bytes_their_hash_and_the_stat_of_that_very_file(root: Path) -> None:
    source = local(root)
    with source.read("a/x.jpg", at(source), Limits()) as picture:
        assert content(picture) == JPEG
        assert picture.sha256 == hashlib.sha256(JPEG).digest()
        assert (picture.size, picture.head, picture.format) == (len(JPEG), JPEG[:64], "jpeg")
        assert picture.stat == at(source)
        descriptor = picture.held.descriptor
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="memfds are Linux's")
def test_nobody_can_change_a_picture_once_it_is_read(root: Path) -> None:
    source = local(root)
    with source.read("a/x.jpg", at(source), Limits()) as picture:
        descriptor = picture.held.descriptor
        for change in (
            lambda: os.pwrite(descriptor, b"!", 0),
            lambda: os.ftruncate(descriptor, 1),
            lambda: os.ftruncate(descriptor, 1 << 24),
            lambda: mmap.mmap(descriptor, 0),
            lambda: fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, 0),
        ):
            with pytest.raises(PermissionError):
                change()


def test_a_picture_of_several_chunks_is_whole(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "CHUNK", 1000)
    source = local(root)
    with source.read("a/x.jpg", at(source), Limits()) as picture:
        assert content(picture) == JPEG


def test_without_memfds_an_unlinked_file_takes_their_place(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")
    source = local(root)
    with source.read("a/x.jpg", at(source), Limits()) as picture:
        assert content(picture) == JPEG
        assert os.fstat(picture.held.descriptor).st_nlink == 0


# -- swapped between the scan and the open


def replaced_by_a_file(root: Path) -> None:
    (root / "new").write_bytes(JPEG + b"more")
    os.rename(root / "new", root / "a/x.jpg")


def replaced_by_a_link(root: Path) -> None:
    (root / "secret.jpg").write_bytes(JPEG)
    (root / "a/x.jpg").unlink()
    (root / "a/x.jpg").symlink_to(root / "secret.jpg")


def moved_and_linked(root: Path) -> None:
    os.rename(root / "a/x.jpg", root / "elsewhere")
    (root / "a/x.jpg").symlink_to("../elsewhere")


def folder_replaced_by_a_link(root: Path) -> None:
    os.rename(root / "a", root / "moved")
    (root / "a").symlink_to("moved")


def replaced_by_a_fifo(root: Path) -> None:
    (root / "a/x.jpg").unlink()
    os.mkfifo(root / "a/x.jpg")


def replaced_by_a_folder(root: Path) -> None:
    (root / "a/x.jpg").unlink()
    (root / "a/x.jpg").mkdir()


def removed(root: Path) -> None:
    (root / "a/x.jpg").unlink()


def folder_removed(root: Path) -> None:
    removed(root)
    (root / "a").rmdir()


def folder_replaced_by_a_file(root: Path) -> None:
    folder_removed(root)
    (root / "a").write_bytes(b"")


@pytest.mark.parametrize(
    "swap",
    [
        replaced_by_a_file,
        replaced_by_a_link,
        moved_and_linked,
        folder_replaced_by_a_link,
        replaced_by_a_fifo,
        replaced_by_a_folder,
        removed,
        folder_removed,
        folder_replaced_by_a_file,
    ],
)
def test_what_took_the_place_of_a_listed_file_is_not_read(root: Path, swap: object) -> None:
    listing = local(root)
    stat = at(listing)
    swap(root)  # type: ignore[operator]
    with pytest.raises(Vanished):
        local(root).read("a/x.jpg", stat, Limits())
    if swap is not folder_replaced_by_a_link:  # the one that listed it still holds the folder itself
        with pytest.raises(Vanished):
            listing.read("a/x.jpg", stat, Limits())


def test_a_folder_that_was_made_anew_is_opened_anew(root: Path) -> None:
    source = local(root)
    stat = at(source)
    os.rename(root / "a", root / "old")
    (root / "a").mkdir()
    os.rename(root / "old/x.jpg", root / "a/x.jpg")
    with source.read("a/x.jpg", stat, Limits()) as picture:
        assert picture.size == len(JPEG)


def test_a_folder_stays_open_while_a_file_in_it_is_opened(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descent, "KEPT", 0)  # as if other threads had gone through many folders meanwhile
    source = local(root)
    with source.read("a/x.jpg", at(source), Limits()) as picture:
        assert picture.size == len(JPEG)


def test_another_inode_number_for_the_same_file_is_borne(root: Path) -> None:
    source = local(root)
    stat = at(source)
    with source.read("a/x.jpg", Stat(stat.size, stat.mtime_ns, stat.ctime_ns, 1, 1), Limits()) as picture:
        assert picture.size == len(JPEG)


def test_links_are_read_where_they_are_asked_for(root: Path) -> None:
    (root / "link.jpg").symlink_to("a/x.jpg")
    (root / "b").symlink_to("a")
    source = local(root, follow_symlinks=True)
    for path in ("link.jpg", "b/x.jpg"):
        with source.read(path, at(source, path), Limits()) as picture:
            assert picture.size == len(JPEG)
    assert local(root).stats("", ["link.jpg"]) == [None]
    assert local(root).stats("b", ["x.jpg"]) == [None]


@pytest.mark.parametrize("where", ["the file", "its folder"])
def test_a_link_out_of_the_source_that_took_a_pictures_place_is_not_read(
    root: Path, tmp_path_factory: pytest.TempPathFactory, where: str
) -> None:
    source = local(root, follow_symlinks=True)
    stat = at(source, "a/x.jpg")
    outside = tmp_path_factory.mktemp("elsewhere") / "outside"
    (root / "a").rename(outside)
    if where == "its folder":
        (root / "a").symlink_to(outside)
    else:
        (root / "a").mkdir()
        (root / "a/x.jpg").symlink_to(outside / "x.jpg")
    source = local(root, follow_symlinks=True)
    with pytest.raises(Vanished, match="leads out of the source"):
        source.read("a/x.jpg", stat, Limits())
    assert source.sniff("a/x.jpg") is None
    with local(root, follow_symlinks="anywhere").read("a/x.jpg", stat, Limits()) as picture:
        assert picture.size == len(JPEG)


# -- changing while it is read


def change_while_reading(monkeypatch: pytest.MonkeyPatch, path: Path, times: int) -> None:
    really = reading.read
    left = [times]

    def read(descriptor: int, size: int) -> bytes:
        chunk = really(descriptor, size)
        if len(chunk) < size and left[0]:  # that was its end
            left[0] -= 1
            with path.open("ab") as file:
                file.write(b"grown")
        return chunk

    monkeypatch.setattr(reading, "read", read)


def test_a_picture_that_changed_while_it_was_read_is_read_once_more(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = local(root)
    stat = at(source)
    change_while_reading(monkeypatch, root / "a/x.jpg", 1)
    with source.read("a/x.jpg", stat, Limits()) as picture:
        assert content(picture) == JPEG + b"grown"
        assert picture.stat == at(source) != stat


def test_a_picture_that_does_not_stop_changing_fails(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = local(root)
    change_while_reading(monkeypatch, root / "a/x.jpg", 2)
    with pytest.raises(PictureError) as raised:
        source.read("a/x.jpg", at(source), Limits())
    assert raised.value.kind is ErrorKind.CHANGED


# -- verdicts


def test_a_file_that_is_no_picture_fails_only_under_a_pictures_name(root: Path) -> None:
    source = local(root)
    for name, content in (("empty.jpg", b""), ("text.png", b"hello"), ("zeros.jpg", bytes(100))):
        (root / name).write_bytes(content)
        with pytest.raises(PictureError) as raised:
            source.read(name, at(source, name), Limits())
        assert raised.value.kind is ErrorKind.NOT_A_PICTURE
    for name, content in (("empty", b""), ("notes.txt", b"hello"), ("raw.nef", b"II*\0")):
        (root / name).write_bytes(content)
        with pytest.raises(Unsupported) as unsupported:
            source.read(name, at(source, name), Limits())
        assert unsupported.value.stat == at(source, name)


def test_a_picture_larger_than_the_limit_fails_before_it_is_copied(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = local(root)
    monkeypatch.setattr(reading, "copy", None)
    with pytest.raises(PictureError) as raised:
        source.read("a/x.jpg", at(source), Limits(file_size=len(JPEG) - 1))
    assert raised.value.kind is ErrorKind.TOO_MANY_BYTES


def test_no_more_is_copied_than_was_listed_or_a_mebibyte(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = local(root)
    listed = at(source)
    with open(root / "a/x.jpg", "ab") as file:
        file.write(bytes(2**21))
    size = len(JPEG) + 2**21
    with pytest.raises(Grown) as grown:
        source.read("a/x.jpg", listed, Limits())
    assert grown.value.size == size
    with source.read("a/x.jpg", replace(listed, size=size), Limits()) as picture:
        assert picture.size == picture.stat.size == size

    copy = reading.copy
    most: list[int] = []

    def while_it_grows(descriptor: int, head: bytes, limit: int, expected: int) -> reading.Copied:
        with open(root / "a/x.jpg", "ab") as file:
            file.write(bytes(2**20))
        most.append(limit)
        return copy(descriptor, head, limit, expected)

    monkeypatch.setattr(reading, "copy", while_it_grows)
    with pytest.raises(Grown):
        source.read("a/x.jpg", replace(listed, size=size), Limits())
    assert most == [size]


def test_a_film_larger_than_the_limit_is_just_unsupported(root: Path) -> None:
    source = local(root)
    (root / "film.mp4").write_bytes(b"\0\0\0\x20ftypisom" + bytes(1000))
    with pytest.raises(Unsupported):
        source.read("film.mp4", at(source, "film.mp4"), Limits(file_size=10))


def test_a_picture_that_grows_beyond_the_limit_while_read_fails(root: Path) -> None:
    with open(root / "a/x.jpg", "rb", buffering=0) as file, pytest.raises(PictureError) as raised:
        reading.copy(file.fileno(), file.read(64), len(JPEG) - 1)
    assert raised.value.kind is ErrorKind.TOO_MANY_BYTES


@pytest.mark.parametrize(("number", "text"), [(5, "Input/output error"), (13, "Permission denied")])
def test_an_unreadable_picture_says_why(root: Path, monkeypatch: pytest.MonkeyPatch, number: int, text: str) -> None:
    source = local(root)
    stat = at(source)

    def read(descriptor: int, size: object) -> bytes:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "read", read)
    monkeypatch.setattr(os, "readv", read)
    with pytest.raises(PictureError) as raised:
        source.read("a/x.jpg", stat, Limits())
    assert (raised.value.kind, raised.value.detail) == (ErrorKind.UNREADABLE, text)


def test_running_out_of_descriptors_is_not_the_pictures_fault(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = local(root)
    stat = at(source)

    def memfd_create(name: str, flags: int) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "memfd_create", memfd_create)
    with pytest.raises(SourceTrouble, match="Too many open files"):
        source.read("a/x.jpg", stat, Limits())


def test_a_limit_of_file_sizes_is_named(root: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    source = local(root)
    stat = at(source)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(SourceTrouble, match=r"file-size limit \(`ulimit -f`\)"):
            source.read("a/x.jpg", stat, Limits())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_no_descriptor_stays_open_after_a_failure(root: Path) -> None:
    source = local(root)
    (root / "text.jpg").write_bytes(b"hello")
    stat, other = at(source), at(source, "text.jpg")
    with source.read("a/x.jpg", stat, Limits()):  # what is kept is there
        pass
    with none_stays_open():
        for path, listed, limits in (
            ("text.jpg", other, Limits()),
            ("a/x.jpg", stat, Limits(file_size=100)),
            ("a/x.jpg", other, Limits()),
            ("a/gone", stat, Limits()),
        ):
            with pytest.raises((PictureError, Vanished)):
                source.read(path, listed, limits)


def test_the_kind_of_a_file_is_told_by_its_first_bytes(root: Path) -> None:
    source = local(root)
    (root / "x.xmp").write_bytes(b"<x:xmpmeta")
    os.mkfifo(root / "fifo.jpg")
    assert [source.sniff(path) for path in ("a/x.jpg", "x.xmp", "fifo.jpg", "gone")] == ["jpeg", None, None, None]


def test_stats_tell_regular_files_only(root: Path) -> None:
    source = local(root)
    os.mkfifo(root / "a/fifo")
    (root / "a/link").symlink_to("x.jpg")
    stats = source.stats("a", ["x.jpg", "fifo", "link", "gone"])
    real = os.lstat(root / "a/x.jpg")
    assert modes.S_ISREG(real.st_mode)
    assert stats == [Stat(real.st_size, real.st_mtime_ns, real.st_ctime_ns, real.st_dev, real.st_ino), None, None, None]
    assert source.stats("gone", ["x"]) == [None]


def test_a_file_read_within_two_seconds_of_its_ctime_is_unsettled(root: Path) -> None:
    source = local(root)
    stat = at(source)
    ctime = stat.ctime_ns / 1e9
    assert not source.settled("a/x.jpg", stat, ctime)
    assert not source.settled("a/x.jpg", stat, ctime + 1.9)
    assert source.settled("a/x.jpg", stat, ctime + 2.1)
    assert not source.settled("a/x.jpg", stat, ctime - 100)  # the clock went back
