"""Pictures that are cut off, made of what is there: `tolerate: truncated`."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from pipeline.errors import ExitStatus
from tests.pictures import encoded, noise
from tests.world import World

pytestmark = pytest.mark.usefixtures("settled")

DAMAGED = "done with damage"
WHOLE = encoded(noise((64, 48), 40), "JPEG")
TOLERANT = "tolerate: truncated\n"


@pytest.fixture(autouse=True)
def _pictures(world: World, settled: None) -> None:
    world.put("a.jpg", WHOLE[: len(WHOLE) // 2])
    world.put("b.jpg")
    world.settle()


def statuses(world: World) -> dict[object, object]:
    return {row["source"]: row["status"] for row in world.export()}


def test_a_truncated_picture_is_made_and_marked_and_told_of(world: World) -> None:
    world.configure(world.text + TOLERANT)
    summary = world.run()
    assert (summary.status, summary.pictures) == (ExitStatus.OK, {"done": 1, DAMAGED: 1})
    assert summary.remarks == {"cut off": 1}
    assert statuses(world) == {"a.jpg": DAMAGED, "b.jpg": "done"}
    with Image.open(io.BytesIO(world.tree()["a-thumb.jpg"])) as image:
        assert image.size == (32, 24)
    assert world.run().pictures == {"unchanged": 2}
    done = world.command("run", "--force", str(world.config_path))
    assert "2 pictures done (2 renditions), 1 of them with damage" in done.stdout + done.stderr
    assert "warnings: cut off (1 picture)" in done.stdout + done.stderr
    assert "warnings: cut off (1 picture)" in world.command("status", str(world.config_path)).stdout


def test_a_known_failure_is_tried_again_once_it_is_tolerated_and_fails_again_once_it_is_not(world: World) -> None:
    text = world.text
    assert world.run().pictures == {"done": 1, "failed": 1}
    assert world.run().pictures == {"known failure": 1, "unchanged": 1}
    world.configure(text + TOLERANT)
    assert world.run().pictures == {DAMAGED: 1, "unchanged": 1}
    world.configure(text)
    summary = world.run()
    assert (summary.status, summary.pictures) == (ExitStatus.FAILED, {"failed": 1, "unchanged": 1})
    assert statuses(world)["a.jpg"] == "failed"
    assert world.run().pictures == {"known failure": 1, "unchanged": 1}


def test_a_picture_that_has_arrived_whole_is_made_anew(world: World) -> None:
    world.configure(world.text + TOLERANT)
    world.run()
    world.put("a.jpg", WHOLE)
    assert world.run().pictures == {"done": 1, "unchanged": 1}
    assert statuses(world) == {"a.jpg": "done", "b.jpg": "done"}


def test_what_was_made_with_damage_is_copied_as_such_and_not_where_damage_is_not_tolerated(world: World) -> None:
    text = world.text
    world.configure(text + TOLERANT)
    world.run()
    world.put("c.jpg", (world.source / "a.jpg").read_bytes())
    summary = world.run()
    assert (summary.pictures, summary.reused) == ({DAMAGED: 1, "unchanged": 2}, 1)
    world.configure(text)
    world.put("d.jpg", (world.source / "a.jpg").read_bytes())
    assert world.run().pictures == {"failed": 3, "unchanged": 1}


def test_the_bytes_of_a_truncated_source_are_never_kept_as_a_rendition(world: World) -> None:
    world.configure(world.text.replace("width: 32, height: 32", "quality: 100, keep_smaller: true") + TOLERANT)
    assert world.run().renditions[DAMAGED] == 1
    assert world.tree()["a-thumb.jpg"] != (world.source / "a.jpg").read_bytes()
