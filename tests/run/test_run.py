"""What a run promises as a whole."""

from __future__ import annotations

import errno
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.summary import sentence
from pipeline.errors import ExitStatus, Locked, PipelineError, SourceTrouble, TargetTrouble
from pipeline.manifest.lock import RunLock
from pipeline.manifest.store import Manifest
from pipeline.plan.options import PlanOptions
from pipeline.run.options import Progress, RunOptions
from pipeline.run.run import run
from pipeline.run.stop import Stop
from pipeline.sources.local import LocalSource
from pipeline.sources.source import Picture
from pipeline.targets import output
from tests.world import World, jpeg


def test_one_bad_picture_costs_that_picture_only(world: World) -> None:
    world.fill(3)
    world.put("bad.jpg", jpeg()[:300])
    summary = world.run()
    assert (summary.pictures, summary.status) == ({"done": 3, "failed": 1}, ExitStatus.FAILED)
    assert summary.failures[0].source == "bad.jpg"
    assert summary.failures[0].error.startswith("truncated")


def test_what_is_no_picture_and_not_named_like_one_is_remembered_in_silence(world: World) -> None:
    world.fill(1)
    world.put("notes.txt", b"hello")
    assert world.run().pictures == {"done": 1, "unsupported": 1}


@pytest.mark.usefixtures("settled")
def test_what_is_not_supported_is_counted_by_every_run_and_by_status(world: World) -> None:
    world.fill(1)
    for name, content in (("drawing.svg", b"<svg"), ("page.pdf", b"%PDF-1.7"), ("raw.gpr", b"II*\0")):
        world.put(name, content)
    for expected in ({"done": 1, "unsupported": 3}, {"unchanged": 1, "unsupported": 3}):
        summary = world.run()
        assert (summary.pictures, summary.status) == (expected, ExitStatus.OK)
    assert sentence(Path("thumbs.yaml"), summary, verbose=True).startswith(
        "thumbs: 1 picture unchanged, 3 unsupported in "
    )
    assert "unsupported" not in sentence(Path("thumbs.yaml"), summary)
    status = world.command("status", str(world.config_path)).stdout
    assert "\n4 sources (" in status
    assert "; 3 unsupported), 1 rendition made (" in status


def test_two_sources_of_one_target_fail_both_names_shown_and_the_rest_goes_on(world: World) -> None:
    world.put("a.jpg")
    world.put("a.JPG")
    world.put("A.png")
    world.put("b.jpg")
    summary = world.run()
    assert summary.pictures == {"done": 1, "failed": 3}
    assert [failure.source for failure in summary.failures] == ["A.png", "a.JPG", "a.jpg"]
    for failure, other in zip(summary.failures, ("a.JPG", "A.png", "A.png"), strict=True):
        assert failure.error.startswith("collision: it ")
        assert f"'{other}'" in failure.error
    assert list(world.tree()) == ["b-thumb.jpg"]


def test_configs_with_targets_inside_one_source_never_make_pictures_of_each_others(tmp_path: Path) -> None:
    worlds = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        worlds.append(World(tmp_path / name))
    photos = worlds[0].source
    worlds[0].fill(2)
    for name, world in zip("ab", worlds, strict=True):
        world.configure(f"source: {photos}\ntarget: {photos}/small-{name}\nrenditions:\n  {name}: {{width: 32}}\n")
    for _ in range(3):
        for world in worlds:
            world.run()
    made = [path.relative_to(photos) for path in photos.rglob("*-?.jpg")]
    assert sorted(map(str, made)) == [
        f"small-{name}/{place}-{name}.jpg" for name in "ab" for place in ("a/000", "b/001")
    ]
    summary = worlds[0].run()
    assert [(passed.source, passed.reason) for passed in summary.passed_over] == [
        ("small-b/", "it is the target of another config")
    ]
    plan = worlds[1].command("plan", str(worlds[1].config_path))
    assert "skipped         small-a/ (it is the target of another config)" in plan.stdout.splitlines()


def test_a_target_whose_manifest_and_lock_are_elsewhere_is_no_input_either(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    first, second = World(tmp_path / "first"), World(tmp_path / "second")
    first.fill(2)
    renditions = "renditions:\n  small: {width: 8}\n"
    first.configure(f"source: photos\ntarget: photos/small\nmanifest: m.sqlite\nlock: local.lock\n{renditions}")
    second.configure(f"source: {first.source}\ntarget: out\n{renditions}")
    assert (first.run().pictures, second.run().pictures) == ({"done": 2}, {"done": 2})


def test_a_source_that_is_the_target_of_another_config_is_carried_on(tmp_path: Path) -> None:
    first = World(tmp_path)
    first.fill(2)
    first.run()
    chained = tmp_path / "chained"
    chained.mkdir()
    second = World(chained)
    second.configure("source: ../out\ntarget: icons\nrenditions:\n  icon: {width: 16}\n")
    assert second.run().pictures == {"done": 2}


def test_a_run_that_was_asked_for_nothing_there_is_says_so(world: World) -> None:
    world.fill(2)
    (warning,) = world.run(plan=PlanOptions(only=("zzz/*",))).warnings
    assert "matches --only 'zzz/*'; there are 2, such as 'a/000.jpg'" in warning
    planned = world.command("plan", str(world.config_path), "--only", "zzz/*")
    assert (planned.stdout, planned.stderr.splitlines()[0]) == ("", f"pipeline: {warning}")


@pytest.mark.usefixtures("settled")
def test_a_file_that_is_not_ours_is_never_overwritten_and_adopt_takes_it_only_if_equal(world: World) -> None:
    world.fill(3)
    world.run()
    mine = world.tree()
    for path in (world.target / ".pipeline").iterdir():
        path.unlink()
    world.source.joinpath("b/001.jpg").rename(world.root / "later.jpg")
    (world.target / "a/000-thumb.jpg").write_bytes(b"somebody else's")
    summary = world.run()  # a new manifest takes equal files over by itself until a run has gone through everything
    assert summary.pictures == {"done": 1, "failed": 1}
    assert all("not ours" in failure.error for failure in summary.failures)
    world.root.joinpath("later.jpg").rename(world.source / "b/001.jpg")
    assert world.run().pictures == {"failed": 1, "known failure": 1, "unchanged": 1}
    adopted = world.run(plan=PlanOptions(adopt=True))
    assert adopted.pictures == {"done": 1, "known failure": 1, "unchanged": 1}
    assert world.tree() == {**mine, "a/000-thumb.jpg": b"somebody else's"}
    assert world.run().pictures == {"known failure": 1, "unchanged": 2}
    assert (world.target / "a/000-thumb.jpg").read_bytes() == b"somebody else's"


def test_a_second_run_is_locked_out_and_told_who_holds_the_lock(world: World) -> None:
    world.fill(1)
    world.run()
    with RunLock(world.config.manifest), pytest.raises(Locked, match=str(os.getpid())):
        world.run()


def test_another_config_is_refused_by_a_target_that_is_not_its_own(world: World) -> None:
    world.fill(1)
    world.run()
    other = world.root / "other.yaml"
    other.write_text(world.text)
    done = world.command("run", str(other))
    assert done.returncode == ExitStatus.USAGE
    assert "thumbs.yaml" in done.stderr


def test_a_missing_source_is_told_before_anything_is_made(world: World) -> None:
    world.source.rmdir()
    with pytest.raises(SourceTrouble, match="does not exist"):
        world.run()
    assert not world.target.exists()


def test_a_run_whose_source_is_missing_is_in_the_history_of_those_before(world: World) -> None:
    world.put("a.jpg")
    world.run()
    world.source.rename(world.root / "away")
    for _ in range(2):
        with pytest.raises(SourceTrouble) as caught:
            world.run()
    with Manifest.reader_at(world.config.manifest) as reader:
        told = [(run.status, run.settings.get("why")) for run in reader.runs(10)]
    assert told == [(ExitStatus.UNFINISHED, str(caught.value))] * 2 + [(ExitStatus.OK, None)]
    (world.root / "away").rename(world.source)
    assert world.run().pictures == {"unchanged": 1}


def test_a_run_whose_source_is_missing_makes_no_manifest_and_waits_for_no_other(world: World) -> None:
    world.put("a.jpg")
    world.run()
    world.source.rename(world.root / "away")
    with RunLock(world.config.manifest, run="other"), pytest.raises(SourceTrouble):
        world.run()
    with Manifest.reader_at(world.config.manifest) as reader:
        assert len(reader.runs(10)) == 1
    world.target.rename(world.root / "unmounted")
    with pytest.raises(SourceTrouble):
        world.run()
    assert not world.target.exists()


def test_a_source_that_has_become_empty_is_not_a_success(world: World) -> None:
    world.fill(1)
    world.run()
    (world.source / "a/000.jpg").unlink()
    with pytest.raises(SourceTrouble, match="mounted"):
        world.run()
    assert len(world.tree()) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_run_cleanly_and_the_next_one_goes_on(
    world: World, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.fill(30)
    read, request = LocalSource.read, Stop.request
    seen = threading.Event()
    count = iter(range(1000))

    def requested(self: Stop, status: ExitStatus) -> None:
        request(self, status)
        seen.set()

    def signalling(self: LocalSource, *arguments: Any) -> Picture:
        if next(count) == 5:
            os.kill(os.getpid(), number)
            assert seen.wait(60)
        return read(self, *arguments)

    monkeypatch.setattr(LocalSource, "read", signalling)
    monkeypatch.setattr(Stop, "request", requested)
    world.configure(world.text + "workers: {queue: 1}\n")
    summary = world.run(threads=1)
    assert summary.status == 128 + number
    assert summary.pictures["pending"] + summary.pictures["done"] == 30
    assert summary.pictures["pending"] > 0
    monkeypatch.setattr(LocalSource, "read", read)
    world.run()
    assert len(world.tree()) == 30


def test_a_full_disk_stops_the_run_with_one_line_and_leaves_nothing_behind(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.fill(10)
    copy = output.copy
    count = iter(range(1000))

    def full(source: int, output: int) -> tuple[int, bytes]:
        if next(count) >= 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return copy(source, output)

    monkeypatch.setattr(output, "copy", full)
    with pytest.raises(TargetTrouble, match="no space left"):
        world.run()
    assert world.leftovers() == []
    monkeypatch.setattr(output, "copy", copy)
    world.run()
    assert len(world.tree()) == 10


def test_as_many_sources_are_read_at_once_as_there_are_threads(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fill(8)
    read = LocalSource.read
    meeting = threading.Barrier(8, timeout=60)

    def met(self: LocalSource, *arguments: Any) -> Picture:
        meeting.wait()
        return read(self, *arguments)

    monkeypatch.setattr(LocalSource, "read", met)
    assert world.run(threads=8).pictures == {"done": 8}


@pytest.mark.usefixtures("settled")
def test_progress_is_told_in_bytes_and_ends_where_it_was_expected_to(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put("a/cut.jpg", jpeg(size=(2000, 1500))[:-2000])
    world.run()  # from now on it is a known failure, which is no progress
    for number in range(10):
        world.put(f"b/{number}.jpg")
    told: list[Progress] = []
    run(world.config, RunOptions(threads=1, processes=0), told.append)
    assert all(progress.bytes_done <= progress.bytes_expected for progress in told)


def test_a_defect_in_a_thread_ends_the_run_and_is_not_swallowed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fill(4)

    def defect(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(LocalSource, "read", defect)
    with pytest.raises(ZeroDivisionError):
        world.run()


def test_every_trouble_is_a_pipeline_error(world: World) -> None:
    world.configure(world.text.replace("target: out", "target: /proc/nothing/here"))
    world.fill(1)
    with pytest.raises(PipelineError):
        world.run()


def test_sources_that_were_just_copied_are_unchanged_in_the_next_run(world: World) -> None:
    for name in ("a.jpg", "b.jpg", "bad.jpg"):
        world.put(name, b"" if name == "bad.jpg" else None)
    assert world.run().pictures == {"done": 2, "failed": 1}
    assert world.run().pictures == {"known failure": 1, "unchanged": 2}
