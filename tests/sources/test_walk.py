from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.config.settings import SourceSettings
from pipeline.errors import ConfigError, ErrorKind, SourceTrouble
from pipeline.folder import Descriptor
from pipeline.sources import descent
from pipeline.sources.descent import Descent
from pipeline.sources.globs import Globs
from pipeline.sources.local import LocalSource
from pipeline.sources.source import Folder
from pipeline.sources.walk import Walk


def lay(root: Path, *names: str | bytes) -> None:
    for name in names:
        path = os.path.join(os.fsencode(root), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(b"x")


def listed(source: LocalSource, *apart: Path) -> list[str]:
    """All files in the order of (folder, name)."""
    folders = sorted(source.folders(apart), key=lambda folder: os.fsencode(folder.path))
    paths = []
    for folder in folders:
        paths += folder.sources(name for name in folder.names() if name not in folder.skipped)
    return paths


def skipped(folders: Iterator[Folder]) -> dict[str, str]:
    return {f"{folder.path}/{name}".lstrip("/"): why for folder in folders for name, why in folder.skipped.items()}


def source(root: Path, **settings: object) -> LocalSource:
    return LocalSource(SourceSettings(root, **settings))  # type: ignore[arg-type]


def test_the_order_is_that_of_folders_then_names_by_bytes(tmp_path: Path) -> None:
    lay(tmp_path, "b.jpg", "B.jpg", "a/z.jpg", "a b/x.jpg", "a/b/c.jpg", "é.jpg", b"\xff.jpg")
    names = ["B.jpg", "b.jpg", "é.jpg", "\udcff.jpg", "a/z.jpg", "a b/x.jpg", "a/b/c.jpg"]
    assert listed(source(tmp_path)) == names
    assert listed(source(tmp_path)) == names


@pytest.mark.parametrize(
    "name",
    [
        b"with\nnewline.jpg",
        b"bad\xff\xfe.jpg",
        b"{stem}.jpg",
        b"%s.jpg",
        b"x" * 251 + b".jpg",
        b" ",
        b"\x1b[31m",
        b"-rf",
    ],
)
def test_hostile_names_come_through_byte_for_byte(tmp_path: Path, name: bytes) -> None:
    lay(tmp_path, b"sub/" + name)
    (path,) = listed(source(tmp_path))
    assert os.fsencode(path) == b"sub/" + name


def test_hidden_files_and_what_storage_boxes_leave_are_never_listed(tmp_path: Path) -> None:
    lay(tmp_path, "._a.jpg", ".b.jpg", ".hidden/c.jpg", "@eaDir/d.jpg", "#recycle/e.jpg", "lost+found/f.jpg", "g.jpg")
    lay(tmp_path, ".pipeline/h.jpg", "sub/@eaDir/i.jpg")
    assert listed(source(tmp_path)) == ["g.jpg"]


def test_globs_choose_and_excluded_folders_are_not_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path, "a.jpg", "a.png", "raw/b.jpg", "keep/c.jpg", "keep/raw/d.jpg")
    assert listed(source(tmp_path, include=("*.jpg",), exclude=("raw/",))) == ["a.jpg", "keep/c.jpg"]
    folders = [folder.path for folder in source(tmp_path, exclude=("raw/",)).folders(())]
    assert sorted(folders) == ["", "keep"]
    assert listed(source(tmp_path, include=("keep/**",))) == ["keep/c.jpg", "keep/raw/d.jpg"]


def test_what_is_no_regular_file_is_skipped_with_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path, "real.jpg")
    os.mkfifo(tmp_path / "fifo.jpg")
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.jpg")
    (tmp_path / "link.jpg").symlink_to("real.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "linked").symlink_to("folder.jpg")
    assert listed(source(tmp_path)) == ["real.jpg"]
    assert skipped(source(tmp_path).folders(())) == {
        "fifo.jpg": "a FIFO",
        "link.jpg": "a symbolic link",
        "linked": "a symbolic link",
        "socket.jpg": "a socket",
    }


def test_followed_links_lead_to_files_and_folders_but_never_round_in_circles(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    lay(root, "a/x.jpg", "b/y.jpg")
    lay(outside, "o.jpg", "deep/p.jpg")
    (root / "a/up").symlink_to("..")
    (root / "a/b").symlink_to("../b")
    (root / "b/a").symlink_to("../a")
    (root / "b/self").symlink_to("self")
    (root / "0out").symlink_to(outside)
    (root / "z.jpg").symlink_to("a/x.jpg")
    links = source(root, follow_symlinks="anywhere")
    assert listed(links) == ["z.jpg", "0out/o.jpg", "0out/deep/p.jpg", "a/x.jpg", "b/y.jpg"]
    assert skipped(links.folders(())) == {"b/self": "a broken symbolic link"}
    within = source(root, follow_symlinks=True)
    assert listed(within) == ["z.jpg", "a/x.jpg", "b/y.jpg"]
    out = "a symbolic link that leads out of the source"
    assert skipped(within.folders(())) == {"b/self": "a broken symbolic link", "0out": out}


@pytest.mark.parametrize("follow", [True, "anywhere"])
def test_no_link_leads_to_what_the_kernel_shows_as_files(tmp_path: Path, follow: object) -> None:
    lay(tmp_path, "root/a.jpg", "outside/proc/b.jpg")
    for name, to in (("p", "/proc"), ("self", "/proc/self"), ("s.jpg", "/proc/self/status"), ("d", "/dev/")):
        (tmp_path / "root" / name).symlink_to(to)
    (tmp_path / "root/outside").symlink_to("../outside")
    out = {} if follow == "anywhere" else {"outside": "a symbolic link that leads out of the source"}
    assert skipped(source(tmp_path / "root", follow_symlinks=follow).folders(())) == {
        "d": "a symbolic link into /dev",
        "p": "a symbolic link into /proc",
        "self": "a symbolic link into /proc",
        "s.jpg": "a symbolic link into /proc",
        **out,
    }


def test_a_folder_of_the_kernels_is_not_entered_by_way_of_one_above_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(tmp_path, "root/a.jpg", "outside/b.jpg", "kernel/c.jpg")
    (tmp_path / "root/all").symlink_to("..")
    monkeypatch.setattr(descent, "SYSTEM", (str(tmp_path / "kernel"),))
    paths = listed(source(tmp_path / "root", follow_symlinks="anywhere"))
    assert paths == ["a.jpg", "all/outside/b.jpg"]
    inside = listed(source(tmp_path / "kernel", follow_symlinks=True))
    assert inside == ["c.jpg"], "unless it is the source itself"


def test_links_to_each_other_do_not_multiply(tmp_path: Path) -> None:
    for name in "abcdefgh":
        (tmp_path / name).mkdir()
        for other in "abcdefgh":
            (tmp_path / name / f"to-{other}").symlink_to(f"../{other}")
    assert len(list(source(tmp_path, follow_symlinks=True).folders(()))) == 9


def test_the_target_inside_the_source_is_no_input(tmp_path: Path) -> None:
    lay(tmp_path, "a.jpg", "build/thumbs/sub/a-thumb.jpg", "build/b.jpg")
    assert listed(source(tmp_path), tmp_path / "build" / "thumbs") == ["a.jpg", "build/b.jpg"]


def test_the_target_is_no_input_by_whatever_way_it_is_reached(tmp_path: Path) -> None:
    lay(tmp_path, "root/a.jpg", "target/sub/a-thumb.jpg")
    (tmp_path / "root/way").symlink_to("../target")
    assert listed(source(tmp_path / "root", follow_symlinks=True), tmp_path / "target") == ["a.jpg"]


def test_a_target_that_is_made_while_the_source_is_listed_is_known_by_its_path(tmp_path: Path) -> None:
    lay(tmp_path, "a.jpg", "thumbs/a-thumb.jpg", "thumbs2/b.jpg")
    descent = Descent(Descriptor(os.open(tmp_path, os.O_RDONLY)), follow=False)
    walk = Walk(descent, Globs(()), Globs(()))
    assert [folder.path for folder in walk.folders((), ["thumbs"])] == ["", "thumbs2"]


def test_source_and_target_cannot_be_the_same_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="same folder"):
        list(source(tmp_path).folders([tmp_path / "x" / ".."]))


def test_a_missing_source_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SourceTrouble, match=r"does not exist \(is its disk mounted\?\)"):
        source(tmp_path / "gone").check()
    lay(tmp_path, "file")
    with pytest.raises(SourceTrouble, match="is not a folder"):
        list(source(tmp_path / "file").folders(()))


def test_a_folder_that_cannot_be_listed_is_a_failure_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(tmp_path, "a/x.jpg", "b/y.jpg", "c.jpg")
    bad = os.stat(tmp_path / "a").st_ino
    real = os.scandir

    def scandir(descriptor: int) -> object:
        if os.fstat(descriptor).st_ino == bad:
            raise PermissionError(13, "Permission denied")
        return real(descriptor)

    monkeypatch.setattr(os, "scandir", scandir)
    folders = {folder.path: folder for folder in source(tmp_path).folders(())}
    assert folders["a"].error is not None
    assert folders["a"].error.kind is ErrorKind.UNREADABLE
    assert "Permission denied" in folders["a"].error.detail
    assert folders["b"].names() == ["y.jpg"]
    assert folders[""].names() == ["c.jpg"]


def test_a_source_that_cannot_be_listed_at_all_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def scandir(descriptor: int) -> object:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(SourceTrouble, match="cannot be listed: .*Input/output error"):
        list(source(tmp_path).folders(()))


def test_a_tree_deeper_than_any_path_or_stack_is_listed(tmp_path: Path) -> None:
    depth = 1500  # 3,000 characters would fit a path; with 40 a part it is 60,000
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(depth):
            os.mkdir("d" * 40, dir_fd=descriptor)
            below = os.open("d" * 40, os.O_RDONLY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        os.close(os.open("x.jpg", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    finally:
        os.close(descriptor)
    (path,) = listed(source(tmp_path))
    assert path.count("/") == depth
    os.system(f"rm -rf {tmp_path / ('d' * 40)}")  # shutil of 3.11 would recurse
