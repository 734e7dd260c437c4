"""Threads, processes and queue never change a byte: the project's strongest promise."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from pipeline.run import lane_processes
from tests.run import lane_faults
from tests.world import World, jpeg

TEXT = """
source: photos
target: out
renditions:
  thumb: {width: 40, height: 40}
  square: {width: 24, height: 24, fit: cover, format: webp}
  small: {width: 16, format: png}
  modern: {width: 30, format: avif}
  family: {widths: [20, 36], formats: [webp, jpeg], quality: 70}
"""
# threads, processes, queue; each pair of two of them is there
COMBINATIONS = ((1, 0, 1), (1, 2, 64), (2, 0, 64), (2, 2, 1), (8, 0, 1), (8, 2, 64), (8, 2, 1))


def fill(world: World) -> None:
    world.fill(12)
    Image.effect_mandelbrot((200, 150), (-2, -1.5, 1, 1.5), 60).convert("RGB").save(world.source / "fractal.png")
    frames = [Image.new("RGB", (30, 20), (shade, 0, 0)) for shade in (10, 100, 200)]
    frames[0].save(world.source / "moving.gif", save_all=True, append_images=frames[1:], duration=80)
    world.put("broken.jpg", jpeg()[:200])
    world.put("notes.txt", b"no picture")
    world.put("a/notes.jpg", b"no picture either")
    world.put("x/same.jpg")
    world.put("x/same.JPG")
    for name in ("a/twin.jpg", "b/twin.jpg", "c/twin.jpg", "z.jpg"):  # equal, far from each other in the order
        world.put(name, jpeg((9, 99, 199), (120, 90)))
    world.put("with/one.jpg", jpeg((9, 99, 199), (120, 90)))
    world.put("with/one.jpg.yaml", b"focal_point: [0, 1]\nalt: one\n")
    world.put("with/two.jpg", jpeg((9, 99, 199), (120, 90)))
    world.put("with/two.jpg.yaml", b"focal_point: [0, 1]\nalt: one\n")
    world.put("with/wrong.jpg")
    world.put("with/wrong.jpg.yaml", b"focal_point: [2, 1]\n")
    world.put("with/skipped.jpg")
    world.put("with/skipped.jpg.yaml", b"skip: true\n")
    world.settle()


def test_every_number_of_threads_processes_and_queue_gives_equal_trees_and_equal_exports(tmp_path: Path) -> None:
    seen: dict[tuple[int, int, int], tuple[dict[str, bytes], object]] = {}
    for number, (threads, processes, queue) in enumerate(COMBINATIONS):
        (tmp_path / str(number)).mkdir()
        world = World(tmp_path / str(number), TEXT + f"workers: {{queue: {queue}}}\n")
        fill(world)
        summary = world.run(threads=threads, processes=processes)
        told = summary.pictures, summary.renditions, summary.reused, summary.failures
        seen[threads, processes, queue] = world.tree(), (world.export(), world.srcset(), told)
    trees, exports = zip(*seen.values(), strict=True)
    first_tree, first_export = trees[0], exports[0]
    assert len(first_tree) == 8 * 20
    assert first_export[2][2] == 8 * 4
    for combination, (tree, export) in seen.items():
        assert tree == first_tree, combination
        assert export == first_export, combination


@pytest.mark.usefixtures("settled")
def test_every_number_of_lanes_gives_equal_trees_and_equal_exports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_processes, "SERVE", lane_faults.SERVE)  # without a fault: they, too, settle at once
    seen: dict[int, tuple[dict[str, bytes], object]] = {}
    for lanes in (0, 1, 3):
        (tmp_path / str(lanes)).mkdir()
        world = World(tmp_path / str(lanes), TEXT)
        fill(world)
        summary = world.run(processes=2, lanes=lanes)
        told = summary.pictures, summary.renditions, summary.failures  # not what was `reused`: each lane knows its own
        seen[lanes] = world.tree(), (world.export(), world.srcset(), told)
    again = world.run(processes=2, lanes=lanes)
    assert not again.renditions.get("done")
    for lanes, came in seen.items():
        assert came == seen[0], lanes


@pytest.mark.usefixtures("settled")
def test_a_run_in_two_halves_equals_a_run_in_one(tmp_path: Path) -> None:
    from pipeline.plan.options import PlanOptions

    worlds = []
    for name in ("whole", "halves"):
        (tmp_path / name).mkdir()
        world = World(tmp_path / name, TEXT)
        fill(world)
        worlds.append(world)
    whole, halves = worlds
    whole.run()
    halves.run(plan=PlanOptions(limit=5))
    halves.run()
    assert halves.tree() == whole.tree()
    assert halves.export() == whole.export()
    assert halves.srcset() == whole.srcset()
