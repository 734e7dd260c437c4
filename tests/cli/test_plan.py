from __future__ import annotations

from pathlib import Path

from tests.world import World


def test_the_plan_of_a_fresh_folder_is_what_the_run_then_does(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.put("a.jpg")
    world.put("notes.txt", b"hello")
    world.put("gone.jpg.yaml", b"alt: text")
    planned = world.command("plan", str(world.config_path))
    assert planned.stdout == "new             a.jpg -> a-thumb.jpg\n"
    assert ", 0 unchanged, 2 unsupported; renditions: 1 new\n" in planned.stderr
    assert "unsupported files are no pictures; those that runs have met are listed by: " in planned.stderr
    assert dict(world.run().pictures) == {"done": 1, "unsupported": 2}
    listed = world.command("manifest", "query", str(world.config_path), "status=unsupported", "--view", "pictures")
    assert "notes.txt" in listed.stdout
    assert (
        ", 1 unchanged, 2 unsupported; renditions: 1 unchanged\n"
        in world.command("plan", str(world.config_path)).stderr
    )


def test_what_is_too_young_is_counted_as_deferred(tmp_path: Path) -> None:
    world = World(tmp_path, "source: {path: photos, settle: 3600}\ntarget: out\nrenditions: {thumb: {width: 32}}\n")
    world.put("a.jpg")
    planned = world.command("plan", str(world.config_path))
    assert "thumbs: 0 pictures to render (0 B), 0 unchanged, 1 deferred\n" in planned.stderr


def test_a_summary_has_no_line_for_each_rendition(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fill(3)
    planned = world.command("plan", "--summary", str(world.config_path))
    assert planned.stdout == ""
    assert planned.stderr.startswith("thumbs: 3 pictures to render")
