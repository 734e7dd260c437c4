from __future__ import annotations

import io
import json

from PIL import Image

from pipeline.cli.failures import _by_kind
from pipeline.manifest.remarks import Remark
from pipeline.model.remarks import kinds
from tests.world import World

TWO = "source: photos\ntarget: out\nrenditions:\n  thumb: {width: 32}\n  large: {width: 64}\n"


def animation(frames: int = 2) -> bytes:
    out = io.BytesIO()
    pictures = [Image.new("RGB", (8, 8), (80 * number, 0, 0)) for number in range(frames)]
    pictures[0].save(out, "GIF", save_all=True, append_images=pictures[1:])
    return out.getvalue()


def test_what_was_lost_is_counted_by_kind_in_the_summary_and_in_status_and_listed(world: World) -> None:
    world.configure(TWO)
    world.put("two.gif", animation(2))
    world.put("three.gif", animation(3))
    world.put("fine.jpg")
    told = world.command("run", "thumbs.yaml", "-v", cwd=world.root).stderr.splitlines()[-1]
    assert told.startswith("warnings: first of N frames only (2 pictures); ")
    assert told.endswith(" failures thumbs.yaml --warnings lists them")
    assert told in world.command("status", "thumbs.yaml", cwd=world.root).stdout.splitlines()
    listed = world.command("failures", "thumbs.yaml", "--warnings", cwd=world.root)
    assert listed.stdout.splitlines() == [
        "three.gif (2 renditions): first of 3 frames only: jpeg holds no animation",
        "two.gif (2 renditions): first of 2 frames only: jpeg holds no animation",
    ]
    assert listed.stderr == "thumbs: 2 pictures with warnings\n"
    as_json = world.command("failures", "thumbs.yaml", "--warnings", "--json", cwd=world.root)
    assert [(row["source"], row["rendition"]) for row in map(json.loads, as_json.stdout.splitlines())] == [
        (source, rendition) for source in ("three.gif", "two.gif") for rendition in ("large", "thumb")
    ]
    totals = json.loads(world.command("status", "thumbs.yaml", "--json", cwd=world.root).stdout)["totals"]
    assert totals["warnings"] == {"first of N frames only": 2}


def test_a_successful_run_without_a_terminal_says_nothing_of_warnings(world: World) -> None:
    world.put("two.gif", animation())
    assert world.command("run", "thumbs.yaml", cwd=world.root).stderr == ""


def test_warnings_of_a_picture_are_a_line_for_each_kind_with_all_that_differs_in_it() -> None:
    several = [
        Remark("a.gif", "", ("broken profile: no header",)),
        Remark("a.gif", "big", ("first of 2 frames only: jpeg holds no animation", "broken profile: no header")),
        Remark("a.gif", "small", ("first of 2 frames only: png was asked for",)),
    ]
    assert [*_by_kind(several)] == [
        " (big): broken profile: no header",
        " (2 renditions): first of 2 frames only: jpeg holds no animation; first of 2 frames only: png was asked for",
    ]


def test_kinds_of_warnings_leave_out_numbers_details_and_libraries() -> None:
    assert kinds(
        ["page 2 of 4 pages only", "page 3 of 7 pages only", "damaged text ignored: Comment", "stderr: libtiff"]
    ) == {"page N of N pages only", "damaged text ignored"}
    assert kinds(["16 bits a channel become 8; depth: keep would keep 16"]) == {"16 bits a channel become 8"}


def test_a_retry_of_nothing_says_so(world: World) -> None:
    world.put("c.jpg", b"no picture")
    world.command("run", "thumbs.yaml", cwd=world.root)
    done = world.command("failures", "retry", "thumbs.yaml", "d*", cwd=world.root)
    assert (done.returncode, done.stderr) == (0, "thumbs: no picture that has failed matches d*\n")
    assert world.command("failures", "retry", "thumbs.yaml", "c*", cwd=world.root).returncode == 0


def test_failures_are_counted_by_pictures_everywhere(world: World) -> None:
    world.configure(TWO)
    world.put("a.jpg")
    world.put("c.jpg", b"no picture")
    world.target.mkdir()
    for name in ("a-thumb.jpg", "a-large.jpg"):
        (world.target / name).write_bytes(b"mine")
    told = world.command("run", "thumbs.yaml", cwd=world.root)
    assert told.stderr.splitlines()[-1].startswith("thumbs: 0 pictures done (0 renditions), 2 failed in ")
    failures = world.command("failures", "thumbs.yaml", cwd=world.root)
    assert len(failures.stdout.splitlines()) == 3
    assert failures.stderr == "thumbs: 2 pictures failed, in 3 lines\n"
    status = world.command("status", "thumbs.yaml", cwd=world.root).stdout.splitlines()
    assert status[1].endswith(", 2 known failures")
    assert status[2:] == ["  not a picture: 1 picture", "  not ours: 1 picture"]
