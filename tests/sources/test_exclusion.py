from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.errors import ErrorKind, SourceTrouble

from .test_walk import lay, listed, source


def left_out(root: Path) -> dict[str, str]:
    return {folder.path: folder.left_out for folder in source(root).folders(()) if folder.left_out}


@pytest.mark.parametrize("name", ["manifest.sqlite", "manifest.sqlite.lock", "manifest.sqlite-wal"])
def test_the_target_of_another_config_is_no_input(tmp_path: Path, name: str) -> None:
    lay(tmp_path, "a.jpg", f"web/.pipeline/{name}", "web/a-thumb.jpg", "web/deep/b-thumb.jpg")
    assert listed(source(tmp_path)) == ["a.jpg"]
    assert left_out(tmp_path) == {"web": "it is the target of another config"}


def test_a_folder_of_that_name_without_a_manifest_of_ours_marks_nothing(tmp_path: Path) -> None:
    lay(tmp_path, "web/.pipeline/jenkins.yaml", "web/a.jpg")
    assert listed(source(tmp_path)) == ["web/a.jpg"]


def test_a_target_whose_manifest_belongs_to_another_user_is_no_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(tmp_path, "web/.pipeline/manifest.sqlite", "web/a-thumb.jpg", "a.jpg")
    real = os.open

    def opened(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if path == ".pipeline":
            raise PermissionError(13, "Permission denied")
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", opened)
    assert listed(source(tmp_path)) == ["a.jpg"]


def test_a_source_that_is_itself_a_target_is_read(tmp_path: Path) -> None:
    lay(tmp_path, ".pipeline/manifest.sqlite", ".nomedia", ".pipelineignore", "a.jpg")
    assert listed(source(tmp_path)) == ["a.jpg"]
    assert left_out(tmp_path) == {}


@pytest.mark.parametrize(
    "ending",
    [".part", ".partial", ".filepart", ".crdownload", ".download", ".tmp", ".bak", ".swp", "~", ".PART"],
)
def test_uploads_in_progress_and_backups_of_editors_are_passed_over(tmp_path: Path, ending: str) -> None:
    lay(tmp_path, "a.jpg", f"b.jpg{ending}")
    assert listed(source(tmp_path)) == ["a.jpg"]
    assert listed(source(tmp_path, include=("*.jpg*",))) == ["a.jpg"]


def test_braces_and_endings_in_any_case_hold_in_a_pipelineignore_too(tmp_path: Path) -> None:
    lay(tmp_path, "a.jpg", "b.PNG", "c.GIF")
    (tmp_path / ".pipelineignore").write_text("*.{png,gif}\n")
    assert listed(source(tmp_path)) == ["a.jpg"]


def test_such_an_ending_is_included_where_a_pattern_ends_like_it(tmp_path: Path) -> None:
    lay(tmp_path, "a.jpg", "b.tmp", "c.bak")
    assert listed(source(tmp_path, include=("*.jpg", "*.tmp"))) == ["a.jpg", "b.tmp"]


def test_nomedia_and_an_empty_pipelineignore_leave_out_their_folder_and_all_below(tmp_path: Path) -> None:
    lay(tmp_path, "a.jpg", "phone/.nomedia", "phone/b.jpg", "phone/deep/c.jpg", "drafts/d.jpg")
    (tmp_path / "drafts/.pipelineignore").write_text("\n")
    assert listed(source(tmp_path)) == ["a.jpg"]
    assert left_out(tmp_path) == {"phone": "it holds .nomedia", "drafts": "it holds an empty .pipelineignore"}


def test_the_globs_of_a_pipelineignore_hold_in_its_folder_and_below(tmp_path: Path) -> None:
    lay(tmp_path, "a.jpg", "x/raw/b.jpg", "x/c-draft.jpg", "x/d.jpg", "x/deep/e-draft.jpg", "x/deep/f.jpg", "raw/g.jpg")
    lay(tmp_path, "x/only/h.jpg", "x/deep/only/i.jpg", "xx/j-draft.jpg", "x/d-draft.jpg.yaml", "x/d-draft.jpg")
    (tmp_path / "x/.pipelineignore").write_text("\ufeff# not ready yet\n\nraw/\n*-draft.jpg\n/only\n")
    (tmp_path / "x/deep/.pipelineignore").write_text("f.jpg")
    assert listed(source(tmp_path)) == ["a.jpg", "raw/g.jpg", "x/d.jpg", "x/deep/only/i.jpg", "xx/j-draft.jpg"]


def test_the_globs_of_the_sources_own_pipelineignore_hold_everywhere(tmp_path: Path) -> None:
    lay(tmp_path, "a.jpg", "b.png", "x/c.png", "x/d.jpg")
    (tmp_path / ".pipelineignore").write_text("*.png\n")
    assert listed(source(tmp_path)) == ["a.jpg", "x/d.jpg"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"*.png\n!a.png\n", ".pipelineignore:2: a pattern cannot begin with !"),
        (b"\xff\xfe", ".pipelineignore is not UTF-8"),
        (b"#" * 20_000, ".pipelineignore is larger than 16 KiB"),
        (b"a" * 1_001, ".pipelineignore:1: a pattern may have 1,000 characters"),
        (b"\n" + b"{a,b}" * 10, ".pipelineignore:2: the pattern stands for more than 1,000 patterns"),
        (b"{a,b}" * 9 + b"c" * 40, ".pipelineignore:1: its patterns stand for too much"),
    ],
)
def test_a_pipelineignore_that_cannot_be_obeyed_fails_its_folder(tmp_path: Path, text: bytes, why: str) -> None:
    lay(tmp_path, "a.jpg", "x/b.jpg", "x/deep/c.jpg")
    (tmp_path / "x/.pipelineignore").write_bytes(text)
    folders = {folder.path: folder for folder in source(tmp_path).folders(())}
    assert sorted(folders) == ["", "x"]
    assert folders["x"].error is not None
    assert folders["x"].error.kind is ErrorKind.UNREADABLE
    assert why in folders["x"].error.detail


def test_a_link_in_the_place_of_a_pipelineignore_is_not_followed(tmp_path: Path) -> None:
    lay(tmp_path, "x/a.jpg", "secret")
    (tmp_path / "x/.pipelineignore").symlink_to("../secret")
    (folder_x,) = (folder for folder in source(tmp_path).folders(()) if folder.path == "x")
    assert folder_x.error is not None
    assert ".pipelineignore: " in folder_x.error.detail
    (tmp_path / ".pipelineignore").symlink_to("secret")
    with pytest.raises(SourceTrouble, match=r"cannot be listed: .*\.pipelineignore"):
        listed(source(tmp_path))
