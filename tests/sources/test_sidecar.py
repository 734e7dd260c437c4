"""A sidecar belongs to its picture: found beside it, part of its fingerprint, and its faults are that one's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import yaml12
from pipeline.config.settings import SourceSettings
from pipeline.errors import ErrorKind, PictureError
from pipeline.model.source import Overrides, Stat
from pipeline.model.spec import Limits
from pipeline.sources import reading, sidecar
from pipeline.sources.local import LocalSource
from pipeline.sources.source import Folder, Unsupported, Vanished
from tests.descriptors import none_stays_open

JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(range(256))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", Overrides()),
        ("# nothing yet\n", Overrides()),
        ("{}", Overrides()),
        ("\ufefffocal_point: [0.25, 1]", Overrides(focal_point=(0.25, 1.0))),
        ("crop: {left: 0.1, top: 0, width: 0.9, height: 0.5}", Overrides(crop=(0.1, 0.0, 0.9, 0.5))),
        ("crop: {left: 0.7, top: 0, width: 0.3, height: 1}", Overrides(crop=(0.7, 0.0, 0.3, 1.0))),
        ("skip: true", Overrides(skip=True)),
        ("skip: false\nalt: 'Zwei\n\n  Äpfel'", Overrides(alt="Zwei Äpfel")),
    ],
)
def test_what_a_sidecar_may_say(text: str, wanted: Overrides) -> None:
    assert sidecar.overrides(text.encode(), "a.jpg.yaml") == wanted


_POINT = "must be two numbers from 0 to 1, [from the left, from the top]"
_CROP = "must be {left, top, width, height} as fractions of the upright picture, from 0 to 1 and within it"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("alt: x\n\nfocal_point: 0.5", f"3:14: focal_point: {_POINT} (got 0.5)"),
        ("focal_point: [0.5]", f"1:14: focal_point: {_POINT} (got a list)"),
        ("focal_point: [0.5, 1.01]", f"1:14: focal_point: {_POINT} (got a list)"),
        ("focal_point: [0.5, true]", f"1:14: focal_point: {_POINT} (got a list)"),
        ("focal_point: [0.5, .nan]", f"1:14: focal_point: {_POINT} (got a list)"),
        ("crop: [0, 0, 1, 1]", f"1:7: crop: {_CROP} (got a list)"),
        ("crop: {left: 0, top: 0, width: 1}", f"1:7: crop: {_CROP} (got a mapping)"),
        ("crop: {left: 0.5, top: 0, width: 0.6, height: 1}", f"1:7: crop: {_CROP} (got a mapping)"),
        ("crop: {left: 0, top: 0, width: 0, height: 1}", f"1:7: crop: {_CROP} (got a mapping)"),
        ("crop: {left: 0, top: 0, width: 100, height: 1}", f"1:7: crop: {_CROP} (got a mapping)"),
        ("skip: yes", '1:7: skip: must be true or false (got "yes")'),
        ("alt: 5", "1:6: alt: must be text of at most 2,000 characters (got 5)"),
        ("focal-point: [0, 0]", '1:1: focal-point: is no key that is known; did you mean "focal_point"?'),
        ("title: x", "1:1: title: is no key that is known; known here: focal_point, crop, skip, alt"),
        ("skip: true\nskip: false", "2:1: skip: is there twice (first in line 1)"),
        ("- skip", "1:1: must be a mapping with the keys focal_point, crop, skip, alt (got a list)"),
        ("a: b: c", '1:5: a ":" too many, or a line indented too far; text with ": " goes in quotes'),
        ("alt: !!python/object:os.system x", "1:6: a tag (a word that starts with !) is not allowed in a config"),
    ],
)
def test_what_is_wrong_in_a_sidecar_is_told_with_its_place(text: str, said: str) -> None:
    with pytest.raises(PictureError) as caught:
        sidecar.overrides(text.encode(), "a.jpg.yaml")
    assert caught.value.kind is ErrorKind.BAD_SIDECAR
    assert caught.value.detail.startswith(f"a.jpg.yaml:{said}")


def test_everything_wrong_is_told_at_once_in_the_order_of_the_file() -> None:
    with pytest.raises(PictureError) as caught:
        sidecar.overrides(b"skip: 1\nalt: 2\n\xc3\xa4: 3\n", "a.yaml")
    assert [part.split(": ")[0] for part in caught.value.detail.split("; ")[:3]] == [
        "a.yaml:1:7",
        "a.yaml:2:6",
        "a.yaml:3:1",
    ]


def test_a_sidecar_that_is_not_utf_8_is_told_with_its_line() -> None:
    with pytest.raises(PictureError, match=r"a.yaml:2:1: is not UTF-8"):
        sidecar.overrides(b"skip: true\nalt: \xff", "a.yaml")


@pytest.mark.parametrize("depth", [10, 10_000])
def test_a_hostile_sidecar_is_only_wrong(depth: int) -> None:
    with pytest.raises(PictureError, match="bad sidecar"):
        sidecar.overrides(b"alt: " + b"[" * depth, "a.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [("{" + "a:," * 20_000 + "}", "this is no YAML"), ("alt: [" + "[]," * 20_000 + "]", "more than 200 values")],
)
def test_a_long_sidecar_is_parsed_once_and_no_further_than_it_could_be_right(
    text: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[object] = []
    really = yaml12._events

    def counted(*how: Any) -> Iterator[Any]:
        for event in really(*how):
            events.append(event)
            yield event

    monkeypatch.setattr(yaml12, "_events", counted)
    with pytest.raises(PictureError, match=said):
        sidecar.overrides(text.encode(), "a.yaml")
    assert len(events) < 1000


# -- beside pictures


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(JPEG)
    (tmp_path / "a.jpg.yaml").write_text("alt: A\n")
    return tmp_path


def _listed(root: Path, **settings: object) -> Folder:
    (folder,) = LocalSource(SourceSettings(root, **settings)).folders(())  # type: ignore[arg-type]
    return folder


def _stat(root: Path, name: str = "a.jpg") -> Stat:
    (stat,) = LocalSource(SourceSettings(root)).stats("", [name], {"a.jpg"})
    assert stat is not None
    return stat


def test_sidecars_are_no_files_of_their_own(root: Path) -> None:
    folder = _listed(root)
    assert folder.names() == ["a.jpg", "b.jpg"]
    assert folder.sidecars == {"a.jpg"}


@pytest.mark.parametrize(
    ("names", "settings", "listed", "with_sidecar"),
    [
        (["c.jpg.yaml"], {}, ["a.jpg", "b.jpg", "c.jpg.yaml"], {"a.jpg"}),  # its picture is missing
        (["a.jpg.yaml.yaml"], {}, ["a.jpg", "a.jpg.yaml.yaml", "b.jpg"], {"a.jpg"}),
        (["a.yaml"], {}, ["a.jpg", "a.yaml", "b.jpg"], {"a.jpg"}),
        ([], {"include": ("*.jpg",)}, ["a.jpg", "b.jpg"], {"a.jpg"}),
        (["c.jpg.yaml"], {"include": ("*.jpg",)}, ["a.jpg", "b.jpg"], {"a.jpg"}),
        ([], {"include": ("b.*",)}, ["b.jpg"], set()),
        ([], {"exclude": ("a.jpg",)}, ["b.jpg"], set()),
        ([], {"exclude": ("*.yaml",)}, ["a.jpg", "b.jpg"], set()),
    ],
)
def test_a_sidecar_comes_with_its_picture_whatever_is_included(
    root: Path, names: list[str], settings: dict[str, object], listed: list[str], with_sidecar: set[str]
) -> None:
    for name in names:
        (root / name).write_text("")
    folder = _listed(root, **settings)
    assert folder.names() == listed
    assert folder.sidecars == with_sidecar


def test_a_link_or_a_pipe_is_no_sidecar(root: Path) -> None:
    (root / "b.jpg.yaml").symlink_to("a.jpg.yaml")
    os.mkfifo(root / "c.jpg.yaml")
    (root / "c.jpg").write_bytes(JPEG)
    folder = _listed(root)
    assert folder.sidecars == {"a.jpg"}
    assert sorted(folder.skipped) == ["b.jpg.yaml", "c.jpg.yaml"]
    assert _listed(root, follow_symlinks=True).sidecars == {"a.jpg", "b.jpg"}


def test_a_picture_with_a_sidecar_has_another_fingerprint(root: Path) -> None:
    with_it = _stat(root)
    assert with_it.sidecar is not None
    assert with_it.sidecar.size == 7
    os.utime(root / "a.jpg.yaml", (1, 1))
    touched = _stat(root)
    (root / "a.jpg.yaml").unlink()
    without = _stat(root)
    assert without.sidecar is None
    for this, other in ((with_it, touched), (with_it, without), (without, touched)):
        assert not this.same_content(other)
        assert not other.same_content(this)
    assert with_it.same_content(with_it)


def test_picture_and_sidecar_are_read_together(root: Path) -> None:
    source, limits = LocalSource(SourceSettings(root)), Limits()
    with (
        source.read("a.jpg", _stat(root), limits) as picture,
        source.read("b.jpg", _stat(root, "b.jpg"), limits) as bare,
    ):
        assert picture.sha256 == bare.sha256
        assert picture.sidecar == b"alt: A\n"
        assert bare.sidecar is bare.content is None
        assert picture.content not in (None, picture.sha256)
        assert picture.stat == _stat(root)


def test_a_sidecar_that_went_or_grew_costs_its_picture_only(root: Path) -> None:
    source, stat = LocalSource(SourceSettings(root)), _stat(root)
    (root / "a.jpg.yaml").write_bytes(b"#" * (sidecar.LIMIT + 1))
    with pytest.raises(PictureError, match=r"bad sidecar: a.jpg.yaml is larger than 64 KiB"):
        source.read("a.jpg", stat, Limits())
    (root / "a.jpg.yaml").unlink()
    with pytest.raises(Vanished):
        source.read("a.jpg", stat, Limits())
    os.mkfifo(root / "a.jpg.yaml")
    with pytest.raises(Vanished, match="no longer a regular file"):
        source.read("a.jpg", stat, Limits())
    (root / "a.jpg.yaml").unlink()
    (root / "a.jpg.yaml").symlink_to("/etc/passwd")
    with pytest.raises(Vanished):
        source.read("a.jpg", stat, Limits())


def test_a_sidecar_that_changes_while_it_is_read_is_read_again_once(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, stat = LocalSource(SourceSettings(root)), _stat(root)
    up_to, times = reading.up_to, iter((1, 1, 2, 3))

    def changing(descriptor: int, most: int) -> bytes:
        text = up_to(descriptor, most)
        os.utime(root / "a.jpg.yaml", (next(times), 0))
        return text

    monkeypatch.setattr(reading, "up_to", changing)
    with pytest.raises(PictureError, match=r"changed while read: a.jpg.yaml"):
        source.read("a.jpg", stat, Limits())


def test_no_descriptor_stays_open_when_a_sidecar_cannot_be_read(root: Path) -> None:
    source, stat = LocalSource(SourceSettings(root)), _stat(root)
    source.read("a.jpg", stat, Limits()).close()  # what is kept is there
    (root / "a.jpg.yaml").unlink()
    with none_stays_open():
        for _ in range(3):
            with pytest.raises(Vanished):
                source.read("a.jpg", stat, Limits())


def test_what_is_no_picture_is_remembered_with_its_sidecar(root: Path) -> None:
    (root / "a.jpg").rename(root / "a")
    (root / "a").write_text("text")
    (root / "a.yaml").write_text("skip: true")
    source = LocalSource(SourceSettings(root))
    (stat,) = source.stats("", ["a"], {"a"})
    assert stat is not None
    with pytest.raises(Unsupported) as caught:
        source.read("a", stat, Limits())
    assert caught.value.stat.same_content(stat)


def test_a_change_of_the_sidecar_alone_unsettles_its_picture(root: Path) -> None:
    stat = _stat(root)
    assert stat.sidecar is not None
    old = Stat(stat.size, stat.mtime_ns, stat.ctime_ns - 10 * 10**9, sidecar=stat.sidecar)
    assert not LocalSource(SourceSettings(root)).settled("a.jpg", old, stat.sidecar.ctime_ns / 1e9 + 1)
    assert LocalSource(SourceSettings(root)).settled("a.jpg", old, stat.sidecar.ctime_ns / 1e9 + 3)


@pytest.mark.parametrize(("text", "skips"), [("skip: true", True), ("alt: x", False), ("skip: [", False)])
def test_a_source_says_whether_a_picture_is_to_be_left_alone(root: Path, text: str, skips: bool) -> None:
    (root / "a.jpg.yaml").write_text(text)
    source = LocalSource(SourceSettings(root))
    assert source.skips("a.jpg") is skips
    assert not source.skips("b.jpg")
