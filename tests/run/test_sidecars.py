"""What a sidecar changes, and that it changes its own picture only."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from pipeline.model.rendering import RenderTask
from pipeline.render.line import render
from pipeline.run import rendering
from pipeline.workers.exchange import Held, Reply
from tests.world import World

pytestmark = pytest.mark.usefixtures("settled")


@pytest.fixture
def tasks(world: World, monkeypatch: pytest.MonkeyPatch) -> list[RenderTask]:
    """What the renderer was asked for, in three pictures' world that has been made once."""
    asked: list[RenderTask] = []

    def remembered(held: Held, task: RenderTask) -> Iterator[Reply]:
        asked.append(task)
        return render(held, task)

    monkeypatch.setattr("pipeline.render.line.render", remembered)
    world.fill(3)
    world.run()
    asked.clear()
    return asked


def _say(world: World, text: str, name: str = "a/000.jpg") -> None:
    (world.source / f"{name}.yaml").write_text(text)


def test_adding_changing_and_removing_a_sidecar_changes_its_picture_and_touching_it_does_not(
    world: World, tasks: list[RenderTask]
) -> None:
    _say(world, "alt: one")
    assert world.run().pictures == {"done": 1, "unchanged": 2}
    assert world.run().pictures == {"unchanged": 3}
    os.utime(world.source / "a/000.jpg.yaml", (5, 5))
    assert world.run().pictures == {"touched": 1, "unchanged": 2}
    assert world.run().pictures == {"unchanged": 3}
    _say(world, "alt: two")
    assert world.run().pictures == {"done": 1, "unchanged": 2}
    (world.source / "a/000.jpg.yaml").unlink()
    assert world.run().pictures == {"done": 1, "unchanged": 2}
    assert world.run().pictures == {"unchanged": 3}
    assert len(tasks) == 3


def test_focal_point_and_crop_reach_the_renderer(world: World, tasks: list[RenderTask]) -> None:
    _say(world, "focal_point: [0.2, 0.8]\ncrop: {left: 0, top: 0.5, width: 1, height: 0.5}")
    world.run()
    (task,) = tasks
    assert (task.focal_point, task.crop) == ((0.2, 0.8), (0.0, 0.5, 1.0, 0.5))


def test_a_wrong_sidecar_fails_its_picture_with_its_place_until_it_is_mended(
    world: World, tasks: list[RenderTask]
) -> None:
    _say(world, "alt: fine\nfocal_point: middle\n")
    summary = world.run()
    assert summary.pictures == {"failed": 1, "unchanged": 2}
    (failure,) = summary.failures
    assert (failure.source, failure.error[:46]) == ("a/000.jpg", "bad sidecar: 000.jpg.yaml:2:14: focal_point: m")
    assert tasks == []
    _say(world, "focal_point: [0.5, 0.5]\n")
    assert world.run().pictures == {"done": 1, "unchanged": 2}


def test_a_picture_that_its_sidecar_skips_is_not_rendered_and_its_targets_are_orphans(
    world: World, tasks: list[RenderTask]
) -> None:
    before = world.tree()
    _say(world, "skip: true")
    assert world.run().pictures == {"skipped": 1, "unchanged": 2}
    for _ in range(2):
        summary = world.run()
        assert (summary.pictures, summary.orphans) == ({"unchanged": 2}, 1)
    os.utime(world.source / "a/000.jpg.yaml", (5, 5))
    assert world.run().pictures == {"skipped": 1, "unchanged": 2}
    assert world.tree() == before
    _say(world, "skip: false")
    assert world.run().pictures == {"done": 1, "unchanged": 2}
    assert (world.run().orphans, len(tasks)) == (0, 1)


def test_of_two_pictures_for_one_target_a_sidecar_can_leave_one_out(world: World) -> None:
    world.put("a.jpg")
    world.put("a.JPG")
    assert world.run().pictures == {"failed": 2}
    _say(world, "skip: true", "a.JPG")
    assert world.run().pictures == {"done": 1, "skipped": 1}


def test_the_export_holds_the_hash_of_the_picture_itself(world: World) -> None:
    world.put("a.jpg")
    world.run()
    before = world.export()
    _say(world, "# nothing\n", "a.jpg")
    world.run()
    assert world.export() == before


def test_a_sidecar_is_never_counted_and_one_without_its_picture_is_unsupported(world: World) -> None:
    world.put("a.jpg")
    _say(world, "alt: x", "a.jpg")
    assert world.run().pictures == {"done": 1}
    _say(world, "alt: x", "gone.jpg")
    assert world.run().pictures == {"unchanged": 1, "unsupported": 1}


def test_sidecars_reach_children_too(world: World) -> None:
    world.put("a.jpg")
    _say(world, "skip: maybe", "a.jpg")
    assert world.run(processes=1).pictures == {"failed": 1}
    _say(world, "focal_point: [0, 0]", "a.jpg")
    assert world.run(processes=1).pictures == {"done": 1}
    assert rendering._RENDER == "pipeline.render.line:render"
