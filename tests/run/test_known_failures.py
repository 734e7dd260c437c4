"""Known failures do not cry wolf: what was told once is neither tried nor told again until something changes."""

from __future__ import annotations

import importlib.metadata
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from pipeline.errors import ErrorKind, ExitStatus, PictureError
from pipeline.manifest.store import Manifest
from pipeline.model.rendering import NotRendered, RenderAnswer, Rendered, RenderTask
from pipeline.plan.options import PlanOptions
from pipeline.render import line
from pipeline.run.failures import failures, retry
from pipeline.run.tally import Summary
from pipeline.sources.local import LocalSource
from pipeline.workers.exchange import Held, Reply
from tests.world import World, jpeg

pytestmark = pytest.mark.usefixtures("settled")


@pytest.fixture
def failed(world: World, settled: None) -> World:
    """A world with two good pictures and a bad one, whose failure was told."""
    world.fill(2)
    world.put("bad.jpg", jpeg()[:300])
    summary = world.run()
    assert (summary.pictures, summary.status) == ({"done": 2, "failed": 1}, ExitStatus.FAILED)
    return world


def assert_silent(summary: Summary) -> None:
    assert (summary.pictures, summary.status) == ({"known failure": 1, "unchanged": 2}, ExitStatus.OK)
    assert (summary.failures, summary.errors) == ((), {})


def test_a_known_failure_is_counted_and_neither_opened_nor_told_again(
    failed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a source was opened")

    monkeypatch.setattr(LocalSource, "read", refuse)
    for _ in range(2):
        assert_silent(failed.run())


def _content(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put("bad.jpg", jpeg()[:299])


def _recipe(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.configure(world.text.replace("height: 32", "height: 31"))


def _limits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.configure(world.text + "limits: {scans: 99}\n")


def _versions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "99")


def _retry(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert retry(world.config, ["nothing/**"]) == 0
    assert retry(world.config, ["*.jpg"]) == 1


@pytest.mark.parametrize("change", [_content, _recipe, _limits, _versions, _retry])
def test_it_is_tried_and_told_again_when_what_it_depends_on_changes(
    failed: World, monkeypatch: pytest.MonkeyPatch, change: Callable[[World, pytest.MonkeyPatch], None]
) -> None:
    change(failed, monkeypatch)
    summary = failed.run()
    assert (summary.failed, summary.known_failures, summary.status) == (1, 0, ExitStatus.FAILED)
    assert_silent(failed.run())


@pytest.mark.parametrize("options", [{"force": True}, {}])
def test_a_picture_that_is_only_touched_or_forced_fails_in_silence(failed: World, options: dict[str, bool]) -> None:
    if not options:
        os.utime(failed.source / "bad.jpg")
    summary = failed.run(plan=PlanOptions(**options))  # type: ignore[arg-type]
    assert (summary.failed, summary.known_failures, summary.status) == (0, 1, ExitStatus.OK)
    assert_silent(failed.run())


_FAILING = {  # by the error: the picture, and its sidecar
    "truncated": (jpeg()[:300], None),
    "not a picture": (b"hello", None),
    "too many bytes": (jpeg(size=(600, 400)) + bytes(2**17), None),
    "bad sidecar": (jpeg(), b"focal_point: [2, 2]"),
    "bad sidecar: bad.jpg.yaml is larger": (jpeg(), b"#" * 2**17),
}


@pytest.mark.parametrize("error", _FAILING)
def test_a_failure_stays_known_when_its_files_are_touched_whatever_the_error(world: World, error: str) -> None:
    world.configure(world.text + "limits: {file_size: 128 KiB}\n")
    picture, sidecar = _FAILING[error]
    files = [world.put("bad.jpg", picture)]
    if sidecar is not None:
        files.append(world.put("bad.jpg.yaml", sidecar))
    assert [failure.error.startswith(error) for failure in world.run().failures] == [True]
    for file in files:
        os.utime(file, (5, 5))
        assert world.run().pictures == {"known failure": 1}
    files[-1].write_bytes(files[-1].read_bytes()[::-1] + b"!")
    assert world.run().failed == 1


def test_a_mended_picture_is_made(failed: World) -> None:
    failed.put("bad.jpg")
    assert failed.run().pictures == {"done": 1, "unchanged": 2}
    assert failures(failed.config) == []


def test_strict_makes_every_failure_count(failed: World) -> None:
    summary = failed.run(strict=True)
    assert (summary.pictures, summary.status) == ({"known failure": 1, "unchanged": 2}, ExitStatus.FAILED)


def test_a_failure_that_no_run_has_told_of_is_new(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put("bad.jpg", jpeg()[:300])

    def killed(*_: object, **__: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "end_run", killed)
        with pytest.raises(MemoryError):
            world.run()
    assert [listed.known for listed in failures(world.config)] == [False]
    assert world.run().status == ExitStatus.FAILED
    assert [listed.known for listed in failures(world.config)] == [True]


def test_collisions_and_files_of_others_are_told_once_and_judged_by_every_run(world: World) -> None:
    world.put("a.jpg")
    world.put("a.png")
    world.put("b.jpg")
    world.target.mkdir()
    (world.target / "b-thumb.jpg").write_bytes(b"somebody's")
    assert (world.run().failed, world.run().failed) == (3, 0)
    summary = world.run()
    assert (summary.pictures, summary.status) == ({"known failure": 3}, ExitStatus.OK)
    (world.source / "a.png").unlink()
    (world.target / "b-thumb.jpg").unlink()
    assert world.run().pictures == {"done": 2}


def test_the_failures_of_a_picture_that_is_gone_are_forgotten(failed: World) -> None:
    (failed.source / "bad.jpg").unlink()
    assert failed.run().pictures == {"unchanged": 2}
    assert failures(failed.config) == []


def test_one_failed_rendition_keeps_nobody_from_making_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    render = line.render

    def refusing(held: Held, task: RenderTask) -> Iterator[Reply]:
        asked.append([spec.name for spec in task.specs])
        replies = render(held, task)
        yield next(replies)
        reply = next(replies)
        assert isinstance(reply.payload, RenderAnswer)
        error = PictureError(ErrorKind.NOT_ENCODABLE, "no")
        renditions: list[Rendered | NotRendered] = []
        files: list[int] = []
        for rendition, file in zip(reply.payload.renditions, reply.descriptors, strict=True):
            if rendition.name == "small":
                os.close(file)
                renditions.append(NotRendered(rendition.name, error))
            else:
                files.append(file)
                renditions.append(rendition)
        yield Reply(replace(reply.payload, renditions=tuple(renditions)), tuple(files))

    monkeypatch.setattr(line, "render", refusing)
    world.put("a.jpg")
    world.configure(world.text + "  small: {width: 8}\n")
    assert [(failure.source, failure.rendition) for failure in world.run().failures] == [("a.jpg", "small")]
    world.configure(world.text + "  tiny: {width: 4, height: 4}\n")  # which changes nothing about the others
    summary = world.run()
    assert asked == [["thumb", "small"], ["tiny"]]
    assert (summary.pictures, summary.renditions, summary.status) == (
        {"known failure": 1},
        {"done": 1, "failed": 1},
        ExitStatus.OK,
    )
    (world.target / "a-thumb.jpg").unlink()
    assert world.run().renditions == {"done": 1, "failed": 1}
    assert asked[2:] == [["thumb"]]
    assert [listed.failure.rendition for listed in failures(world.config)] == ["small"]


MANY = 300  # more than what is in hand when the last bad picture is met: some batches of small ones


@pytest.mark.parametrize(("stop_after", "bad", "stops"), [("5 %", 6, True), ("30 %", 6, False), ("3", 3, True)])
def test_a_run_that_goes_wrong_wholesale_stops_and_its_failures_are_tried_again(
    world: World, stop_after: str, bad: int, stops: bool
) -> None:
    for number in range(MANY):
        world.put(f"{number:03}.jpg", jpeg()[:300] if 20 <= number < 20 + bad else None)
    world.configure(world.text + f"workers: {{queue: 1}}\nfailures: {{stop_after: {stop_after}}}\n")
    summary = world.run(threads=1)
    assert (summary.status == ExitStatus.UNFINISHED, bool(summary.stopped)) == (stops, stops)
    assert sum(summary.pictures.values()) == MANY
    assert (summary.pictures.get("pending", 0) > 0) == stops
    world.configure(world.text.replace(f"stop_after: {stop_after}", "stop_after: 1000"))
    assert world.run().failed == (bad if stops else 0)
    assert len(world.tree()) == MANY - bad


def test_the_last_picture_that_fails_does_not_stop_a_run_that_is_over(world: World) -> None:
    for name in ("a.jpg", "a.JPG", "a.jpeg"):  # three that would make one target
        world.put(name)
    world.configure(world.text + "failures: {stop_after: 3}\n")
    summary = world.run()
    assert (summary.pictures, summary.stopped, summary.status) == ({"failed": 3}, "", ExitStatus.FAILED)


def test_fewer_pictures_than_twenty_say_nothing_about_a_share(world: World) -> None:
    for number in range(10):
        world.put(f"{number}.jpg", jpeg()[:300])
    world.configure(world.text + "failures: {stop_after: 5 %}\n")
    assert world.run().status == ExitStatus.FAILED


def test_the_command_lists_failures_and_lets_them_be_tried_again(failed: World) -> None:
    config = str(failed.config_path)
    listed = failed.command("failures", config)
    assert listed.returncode == 0
    assert listed.stdout.startswith("known since 20")
    assert "bad.jpg: truncated" in listed.stdout
    row: dict[str, Any] = json.loads(failed.command("failures", "--json", config).stdout)
    assert (row["source"], row["rendition"], row["error"], row["known"]) == ("bad.jpg", None, "truncated", True)
    plan = failed.command("plan", config)
    assert plan.stdout.startswith("known failure   bad.jpg (truncated")
    assert failed.command("status", config).stdout.endswith(" B), 1 known failure\n  truncated: 1 picture\n")
    assert "--json" in failed.command("failures", "--help").stdout
    verbose = failed.command("run", "-v", config)
    assert (verbose.returncode, f"pipeline failures {config})" in verbose.stderr) == (0, True)
    assert failed.command("run", config).stderr == ""
    assert "1 picture" in failed.command("failures", "retry", config).stderr
    assert failed.command("run", config).returncode == ExitStatus.FAILED


def test_the_failures_of_a_picture_that_is_gone_are_forgotten_although_its_files_are_there(world: World) -> None:
    world.fill(2)
    world.put("bad.jpg")
    world.run()
    world.put("bad.jpg", jpeg()[:300])
    world.run()
    (world.source / "bad.jpg").unlink()
    assert world.run().orphans == 1
    assert failures(world.config) == []


def test_versions_are_asked_for_once_however_many_fail(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(9):
        world.put(f"{number}.jpg", b"no picture")
    asked: list[str] = []
    really = importlib.metadata.version

    def version(package: str) -> str:
        asked.append(package)
        return really(package)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert world.run(threads=1).failed == 9
    assert asked.count("pillow") == 1
