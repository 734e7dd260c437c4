"""Several files that are written together."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.config.settings import Durability, TargetSettings
from pipeline.errors import ErrorKind, PictureError, TargetTrouble
from pipeline.model.record import Written
from pipeline.targets import output
from pipeline.targets.local import TOGETHER, LocalTarget
from pipeline.targets.output import Output
from pipeline.targets.target import ToWrite
from tests.targets.test_local import everything, failing, write

NAMES = ("a/1.jpg", "a/2.jpg", "b/3.jpg", "4.jpg")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


@pytest.fixture
def several(tmp_path: Path) -> Iterator[list[ToWrite]]:
    """What holds its name, for each of `NAMES`."""
    files = []
    for name in NAMES:
        path = tmp_path / name.replace("/", "-")
        path.write_text(name)
        files.append(ToWrite(name, os.open(path, os.O_RDONLY), replace=False))
    yield files
    for file in files:
        os.close(file.descriptor)


def target(root: Path, durability: Durability = Durability.SYNC) -> LocalTarget:
    made = LocalTarget(TargetSettings(root, durability=durability), "run1")
    made.prepare()
    return made


def written(root: Path) -> dict[str, str]:
    return {name: (root / name).read_text() for name in everything(root)}


def test_each_is_in_its_place_and_described_as_alone(root: Path, several: list[ToWrite]) -> None:
    came = target(root).write_all(several)
    assert written(root) == {name: name for name in NAMES}
    for file, what in zip(several, came, strict=True):
        assert isinstance(what, Written)
        os.unlink(root / file.path)
        alone = write(target(root), file.path, file.descriptor, replace=False)
        assert (what.path, what.size, what.sha256) == (alone.path, alone.size, alone.sha256)


def test_nothing_gets_its_name_before_it_is_synced(
    root: Path, several: list[ToWrite], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def noted(name: str, really: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            done.append(name)
            return really(*arguments, **named)

        return call

    ready = target(root)
    monkeypatch.setattr(Output, "fill", noted("fill", Output.fill))
    monkeypatch.setattr(os, "fsync", noted("sync", os.fsync))
    monkeypatch.setattr(output, "put", noted("put", output.put))
    ready.write_all(several)
    assert done == ["fill"] * 4 + ["sync"] * 4 + ["put"] * 4
    done.clear()
    (root / "4.jpg").unlink()
    target(root, Durability.NONE).write_all([several[3]] * 2)
    assert "sync" not in done


def test_what_is_in_the_way_of_one_costs_that_one_only(root: Path, several: list[ToWrite]) -> None:
    (root / "a").mkdir()
    (root / "a/2.jpg").write_text("mine")
    (root / "4.jpg").write_text("4.jpg")
    several = [*several, *(ToWrite(path, several[0].descriptor, replace=False) for path in ("../out.jpg", "x" * 300))]
    came = target(root).write_all(several)
    kinds = [what.kind if isinstance(what, PictureError) else "written" for what in came]
    assert kinds == ["written", ErrorKind.NOT_OURS, "written", "written", ErrorKind.BAD_NAME, ErrorKind.BAD_NAME]
    assert written(root) == {name: name for name in NAMES} | {"a/2.jpg": "mine"}


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EBUSY])
def test_a_sync_that_fails_for_the_names_sake_costs_that_one_only(
    root: Path, several: list[ToWrite], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    ready, really, left = target(root), os.fsync, [2]

    def fsync(descriptor: int) -> None:
        left[0] -= 1
        if not left[0]:
            raise OSError(number, os.strerror(number))
        really(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    came = ready.write_all(several)
    assert [what.kind if isinstance(what, PictureError) else "written" for what in came] == [
        "written", ErrorKind.BAD_NAME, "written", "written"
    ]  # fmt: skip
    assert written(root) == {name: name for name in NAMES if name != "a/2.jpg"}


def test_many_are_written_a_few_at_a_time(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []
    really = Output.hurry

    def hurry(output: Output) -> None:
        opened.append(sum(str(root) in os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")))
        really(output)

    monkeypatch.setattr(Output, "hurry", hurry)
    with tempfile.TemporaryFile() as file:
        came = target(root).write_all([ToWrite(f"{number}.jpg", file.fileno(), replace=False) for number in range(50)])
    assert all(isinstance(outcome, Written) for outcome in came)
    assert len(everything(root)) == 50
    assert max(opened) <= TOGETHER + 3


@pytest.mark.parametrize("durability", list(Durability))
def test_the_disk_is_hurried_only_where_it_is_waited_for(
    root: Path, several: list[ToWrite], monkeypatch: pytest.MonkeyPatch, durability: Durability
) -> None:
    hurried: list[Output] = []

    def hurry(output: Output) -> None:
        hurried.append(output)

    monkeypatch.setattr(Output, "hurry", hurry)
    target(root, durability).write_all(several)
    assert len(hurried) == (len(several) if durability is Durability.SYNC else 0)


def test_advice_that_a_system_does_not_take_is_no_failure(
    root: Path, several: list[ToWrite], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "posix_fadvise", failing(errno.EINVAL))
    assert all(isinstance(outcome, Written) for outcome in target(root).write_all(several))


def test_a_folder_removed_under_our_feet_is_made_again(
    root: Path, several: list[ToWrite], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = target(root)
    really = Output.hurry

    def hurry(output: Output) -> None:
        really(output)
        if (root / "b").exists():
            for path in (root / "b").iterdir():
                path.unlink()
            (root / "b").rmdir()

    monkeypatch.setattr(Output, "hurry", hurry)
    assert all(isinstance(outcome, Written) for outcome in ready.write_all(several))
    assert written(root) == {name: name for name in NAMES}


@pytest.mark.parametrize(
    ("module", "call", "number", "text"),
    [
        (os, "fsync", errno.EIO, "Input/output error"),
        (os, "write", errno.ENOSPC, "no space left"),
        (os, "open", errno.EROFS, "read-only"),
    ],
)
def test_trouble_of_the_target_ends_it_and_leaves_nothing_behind(
    root: Path,
    several: list[ToWrite],
    monkeypatch: pytest.MonkeyPatch,
    module: object,
    call: str,
    number: int,
    text: str,
) -> None:
    ready = target(root)
    monkeypatch.setattr(module, call, failing(number))
    with pytest.raises(TargetTrouble, match=text):
        ready.write_all(several)
    monkeypatch.undo()
    assert everything(root) == []


def test_after_a_failed_sync_no_more_is_taken(
    root: Path, several: list[ToWrite], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = target(root)
    ready.write_all(several[:2])
    with monkeypatch.context() as patched, pytest.raises(TargetTrouble):
        patched.setattr(os, "fsync", failing(errno.EIO))
        ready.sync()
    with pytest.raises(TargetTrouble):
        ready.write_all(several[2:])
    assert sorted(written(root)) == sorted(NAMES[:2])
