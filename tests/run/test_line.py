"""Pictures that share a batch end as if each had been alone."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.errors import ExitStatus, PictureError
from pipeline.model.record import Written
from pipeline.run import rendering
from pipeline.run.batch import Batch, Batching
from pipeline.run.life import Read
from pipeline.run.line import Line
from pipeline.sources.local import LocalSource
from pipeline.sources.source import Picture
from pipeline.targets.local import LocalTarget
from pipeline.targets.target import ToWrite
from pipeline.workers.token import Token
from tests.run.hanging import hanging
from tests.world import World, jpeg


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures each batch held; batches are full from the first on."""
    sizes: list[int] = []
    read = Line.read

    def counted(self: Line, some: Batch, token: Token) -> Read:
        sizes.append(len(some.jobs))
        return read(self, some, token)

    monkeypatch.setattr(Line, "read", counted)
    monkeypatch.setattr(Batching, "_cost", lambda self, job: 0.0 if job.stat.sidecar is None else None)
    return sizes


def _fill(world: World) -> None:
    world.fill(40)
    frames = [Image.new("RGB", (30, 20), (shade, 0, 0)) for shade in (10, 100, 200)]
    frames[0].save(world.source / "a/moving.gif", save_all=True, append_images=frames[1:], duration=80)
    Image.effect_mandelbrot((300, 200), (-2, -1.5, 1, 1.5), 60).convert("RGB").save(world.source / "a/large.png")
    world.put("a/broken.jpg", jpeg()[:200])
    world.put("a/notes.txt", b"no picture")
    world.put("b/notes.jpg", b"no picture either")
    for name in ("a/twin.jpg", "a/twins.jpg", "b/twin.jpg", "z.jpg"):
        world.put(name, jpeg((9, 99, 199), (120, 90)))
    world.put("a/with.jpg", jpeg((9, 99, 199), (120, 90)))
    world.put("a/with.jpg.yaml", b"focal_point: [0, 1]\nalt: one\n")
    world.settle()


@pytest.mark.parametrize("processes", [0, 2])
def test_files_and_manifest_are_those_of_pictures_that_were_alone(
    tmp_path: Path, shared: list[int], monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    seen = []
    for threads in (1, 4, 0):
        (tmp_path / str(threads)).mkdir()
        world = World(tmp_path / str(threads))
        world.configure(world.text + "  small: {width: 16, format: webp}\nplaceholder: true\n")
        _fill(world)
        if not threads:
            monkeypatch.setattr(Batching, "_most", lambda *_: 1)
            shared.clear()
        summary = world.run(threads=threads or 2, processes=processes)
        assert (max(shared, default=1) > 10) == bool(threads)
        told = summary.pictures, summary.renditions, summary.reused, summary.failures
        seen.append((world.tree(), world.export(), told))
        assert world.run(threads=2, processes=processes).renditions.get("done", 0) == 0
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize("processes", [0, 1])
def test_broken_pictures_of_a_batch_are_tried_once(world: World, shared: list[int], processes: int) -> None:
    for number in range(30):
        world.put(f"{number:02}.jpg", jpeg((number, 9, 9))[: -20 - number])
    world.put("good.jpg")
    summary = world.run(threads=1, processes=processes)
    assert summary.pictures == {"done": 1, "failed": 30}
    assert max(shared) >= 15
    assert sum(shared) == 31
    assert {failure.error.split(":")[0] for failure in summary.failures} == {"truncated"}


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("spoilt", [False, True])
def test_copies_of_a_batch_are_written_together(
    world: World, settled: None, monkeypatch: pytest.MonkeyPatch, *, spoilt: bool
) -> None:
    world.put("0.jpg", jpeg())
    world.run()
    made = world.target / "0-thumb.jpg"
    if spoilt:  # which shows when it is copied, and in nothing before
        stat, good = made.stat(), made.read_bytes()
        made.write_bytes(bytes(len(good)))
        os.utime(made, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    for number in range(1, 33):
        world.put(f"{number}.jpg", jpeg())
    sizes: list[int] = []
    really = LocalTarget.write_all

    def write_all(self: LocalTarget, several: Sequence[ToWrite]) -> list[Written | PictureError]:
        sizes.extend([len(several)] if several else [])
        return really(self, several)

    monkeypatch.setattr(LocalTarget, "write_all", write_all)
    summary = world.run(threads=1)
    assert (summary.pictures, summary.reused) == ({"done": 32, "unchanged": 1}, 31 if spoilt else 32)
    assert max(sizes) >= 15  # of the sixteen that are claimed at once
    if not spoilt:
        assert set(world.tree().values()) == {made.read_bytes()}


@pytest.mark.parametrize(
    ("kind", "error"),
    [("kill once", ""), ("hang once", ""), ("kill always", "crashed"), ("spin always", "time limit")],
)
def test_a_picture_that_kills_its_child_costs_the_others_nothing(
    world: World, shared: list[int], monkeypatch: pytest.MonkeyPatch, kind: str, error: str
) -> None:
    world.fill(24)
    monkeypatch.setenv("VICTIM", hashlib.sha256((world.source / "b/004.jpg").read_bytes()).hexdigest())
    monkeypatch.setenv("MARK", str(world.root / "mark"))
    monkeypatch.setenv("MISCHIEF", kind)
    monkeypatch.setattr(rendering, "_RENDER", "tests.run.renderers:misbehaving")
    world.configure(world.text + "limits: {seconds: 0.5}\n")
    summary = world.run(processes=2, threads=2)
    assert max(shared) > 1
    if not error:
        assert (summary.pictures, summary.status) == ({"done": 24}, ExitStatus.OK)
        return
    assert (summary.pictures, summary.status) == ({"done": 23, "failed": 1}, ExitStatus.FAILED)
    (failure,) = summary.failures
    assert (failure.source, failure.error[: len(error)]) == ("b/004.jpg", error)


@pytest.fixture
def hung_read(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Reads of `b/004.jpg` never return while the test runs."""
    read = LocalSource.read

    def read_or_hang(self: LocalSource, source: str, *rest: Any) -> Picture:
        if source == "b/004.jpg":
            calls.hang(source)
        return read(self, source, *rest)

    monkeypatch.setattr(LocalSource, "read", read_or_hang)
    with hanging(monkeypatch) as calls:
        yield


@pytest.mark.parametrize("processes", [0, 1])
def test_a_read_that_never_returns_costs_none_of_those_that_shared_its_batch(
    world: World, shared: list[int], hung_read: None, processes: int
) -> None:
    world.configure(world.text + "limits: {read: 30}\n")
    world.fill(24)
    summary = world.run(threads=1, processes=processes)
    assert (summary.pictures, summary.status) == ({"done": 23, "failed": 1}, ExitStatus.FAILED)
    assert [(failure.source, failure.error[:14]) for failure in summary.failures] == [("b/004.jpg", "read timed out")]
    assert len(world.tree()) == 23
    assert shared
