"""The same content is rendered once, whatever it is called; what is copied is shown to be what was made."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterator
from dataclasses import replace

import pytest

from pipeline.manifest.store import Manifest
from pipeline.model.record import Reason, Record, RenditionRecord, Status, Written
from pipeline.model.rendering import RenderAnswer, Rendered, RenderTask
from pipeline.model.source import Header, Stat
from pipeline.model.spec import Limits
from pipeline.plan.options import PlanOptions
from pipeline.render.line import render
from pipeline.run.dedup import Dedup
from pipeline.workers.exchange import Held, Reply
from pipeline.workers.token import Revoked, Token
from tests.world import World, jpeg


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[RenderTask]:
    """What the renderer was asked for."""
    tasks: list[RenderTask] = []

    def remembered(held: Held, task: RenderTask) -> Iterator[Reply]:
        tasks.append(task)
        return render(held, task)

    monkeypatch.setattr("pipeline.render.line.render", remembered)
    return tasks


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_equal_pictures_of_one_run_are_rendered_once(world: World, asked: list[RenderTask], threads: int) -> None:
    for number in range(9):
        world.put(f"{number}.jpg", jpeg())
    world.put("other.jpg")
    summary = world.run(threads=threads)
    assert (summary.pictures, summary.reused, len(asked)) == ({"done": 10}, 8, 2)
    tree = world.tree()
    assert len({tree[f"{number}-thumb.jpg"] for number in range(9)}) == 1
    assert len(tree) == 10


def test_nothing_in_the_records_tells_which_was_first(world: World) -> None:
    frames = jpeg(size=(800, 600))
    for name in ("a.jpg", "b.jpg", "c/d.jpg"):
        world.put(name, frames)
    world.run(threads=3)
    rows = world.export()
    for row in rows:
        for key in ("source", "target"):
            assert row.pop(key)
    assert len(rows) == 3
    assert all(row == rows[0] for row in rows)
    assert rows[0]["libraries"]


@pytest.mark.usefixtures("settled")
def test_a_renamed_or_copied_source_reuses_what_was_made_of_it(world: World, asked: list[RenderTask]) -> None:
    world.put("a.jpg")
    world.run()
    (world.source / "a.jpg").rename(world.source / "b.jpg")
    world.put("c.jpg", (world.source / "b.jpg").read_bytes())
    summary = world.run()
    assert (summary.pictures, summary.reused, len(asked)) == ({"done": 2}, 2, 1)
    assert len(set(world.tree().values())) == 1
    assert world.run().pictures == {"unchanged": 2}


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("spoilt", ["gone", "touched", "longer", "other bytes, same stat", "a link", "a folder"])
def test_what_is_not_as_it_was_made_is_not_reused(world: World, asked: list[RenderTask], spoilt: str) -> None:
    world.put("a.jpg")
    world.run()
    good = (world.target / "a-thumb.jpg").read_bytes()
    (world.source / "a.jpg").rename(world.source / "b.jpg")
    made = world.target / "a-thumb.jpg"
    stat = made.stat()
    if spoilt == "touched":
        os.utime(made, (5, 5))
    elif spoilt == "longer":
        made.write_bytes(good + b"x")
    elif spoilt == "other bytes, same stat":
        made.write_bytes(bytes(len(good)))
        os.utime(made, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    else:
        made.rename(world.root / "elsewhere.jpg")
    if spoilt == "a link":
        made.symlink_to(world.root / "elsewhere.jpg")
    elif spoilt == "a folder":
        made.mkdir()
    summary = world.run()
    assert (summary.pictures, summary.reused, len(asked)) == ({"done": 1}, 0, 2)
    assert (world.target / "b-thumb.jpg").read_bytes() == good


@pytest.mark.usefixtures("settled")
def test_another_recipe_reuses_nothing_and_a_further_one_only_what_there_is(
    world: World, asked: list[RenderTask]
) -> None:
    world.put("a.jpg")
    world.run()
    world.configure(
        "source: photos\ntarget: out\nrenditions:\n  small: {width: 32, height: 32}\n  tiny: {width: 8, height: 8}\n"
    )
    summary = world.run()
    assert (summary.reused, [spec.name for task in asked for spec in task.specs]) == (1, ["thumb", "tiny"])
    assert world.tree()["a-small.jpg"] == world.tree()["a-thumb.jpg"]
    (row, _, _) = world.export()
    assert (row["rendition"], row["width"], row["status"]) == ("small", 32, "done")


@pytest.mark.usefixtures("settled")
def test_force_renders_every_picture_anew(world: World, asked: list[RenderTask]) -> None:
    for name in ("a.jpg", "b.jpg"):
        world.put(name, jpeg())
    world.run()
    summary = world.run(plan=PlanOptions(force=True))
    assert (summary.pictures, summary.reused, len(asked)) == ({"done": 2}, 0, 3)


@pytest.mark.usefixtures("settled")
def test_what_is_in_the_way_is_not_ours_for_copies_either(world: World) -> None:
    world.put("a.jpg", jpeg())
    world.run()
    world.put("b.jpg", jpeg())
    (world.target / "b-thumb.jpg").write_bytes(b"somebody else's")
    assert world.run().pictures == {"failed": 1, "unchanged": 1}
    assert world.tree()["b-thumb.jpg"] == b"somebody else's"


@pytest.mark.usefixtures("settled")
def test_a_limit_that_refuses_a_picture_refuses_its_copies(world: World) -> None:
    world.put("a.jpg", jpeg())
    world.run()
    world.put("b.jpg", jpeg())
    world.configure(world.text + "limits: {pixels: 100}\n")
    summary = world.run()
    assert summary.pictures == {"failed": 1, "unchanged": 1}
    assert summary.failures[0].error.startswith("too many pixels")


@pytest.mark.usefixtures("settled")
def test_a_picture_with_a_sidecar_is_other_content(world: World, asked: list[RenderTask]) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        world.put(name, jpeg())
    for name in ("b.jpg", "c.jpg"):
        (world.source / f"{name}.yaml").write_text("focal_point: [0, 0]\n")
    summary = world.run()
    assert (summary.pictures, summary.reused, len(asked)) == ({"done": 3}, 1, 2)


def test_if_the_first_of_equal_pictures_fails_every_other_fails_by_itself(world: World) -> None:
    broken = jpeg()[:200]
    for number in range(6):
        world.put(f"{number}.jpg", broken)
    summary = world.run(threads=6)
    assert (summary.pictures, summary.reused) == ({"failed": 6}, 0)
    assert len({failure.error for failure in summary.failures}) == 1


def test_equal_pictures_with_children_and_more_threads_than_room(world: World) -> None:
    """The first to come waits for a child and for room; the others hold neither while they wait for it."""
    for number in range(12):
        world.put(f"{number}.jpg", jpeg() if number % 2 else jpeg((1, 2, 3)))
    world.configure(world.text + "workers: {queue: 1, memory: 16 MiB}\n")
    summary = world.run(threads=12, processes=1)
    assert (summary.pictures, summary.reused) == ({"done": 12}, 10)


def test_the_quality_and_the_score_that_were_found_are_recorded_with_all_copies(world: World) -> None:
    world.configure(world.text.replace("height: 32", "height: 32, quality: {ssimulacra2: 70}"))
    world.put("a.jpg", jpeg())
    world.put("b.jpg", jpeg())
    world.run()
    first, other = world.export()
    assert (first["quality"], first["score"]) == (other["quality"], other["score"])
    assert isinstance(first["quality"], int)
    assert isinstance(first["score"], float)


@pytest.mark.usefixtures("settled")
def test_a_quality_that_was_found_is_a_hint_for_the_same_content_recipe_and_libraries(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    hints: list[tuple[tuple[str, int], ...]] = []
    libraries = "made by one"

    def searching(held: Held, task: RenderTask) -> Iterator[Reply]:
        steps = render(held, task)
        yield next(steps)
        hints.append(task.hints)
        reply = next(steps)
        answer = reply.payload
        assert isinstance(answer, RenderAnswer)
        renditions = tuple(_found(rendition) for rendition in answer.renditions if isinstance(rendition, Rendered))
        yield Reply(RenderAnswer(answer.header, renditions, answer.seconds_decode, libraries), reply.descriptors)

    monkeypatch.setattr("pipeline.render.line.render", searching)
    world.configure(world.text.replace("height: 32", "height: 32, max_bytes: 60000"))
    world.put("a.jpg")
    world.put("b.jpg")
    world.run()
    for path in world.target.glob("*.jpg"):
        path.unlink()
    world.run(threads=1)
    libraries = "made by another"
    for path in world.target.glob("*.jpg"):
        path.unlink()
    world.run(threads=1)
    assert hints[2:] == [(), (("thumb", 61),), (), ()]


def _found(rendered: Rendered) -> Rendered:
    return replace(rendered, quality=61)


# -- by itself

HEADER = Header("jpeg", 10, 10, 1, "RGB", 0)


def _record(*names: str, content: bytes = b"c") -> Record:
    made = tuple(
        RenditionRecord(
            name, name, f"recipe of {name}", Status.DONE, Reason.NEW, written=Written(name, 1, 1, b""), format="jpeg"
        )
        for name in names
    )
    return Record("a.jpg", Stat(1, 1, 1), Status.DONE, made, sha256=content, header=HEADER, libraries="l=1")


def _dedup(limits: Limits | None = None) -> Dedup:
    return Dedup(lambda content, recipes: [], None, limits or Limits())  # type: ignore[arg-type]


def test_what_several_pictures_of_one_content_had_made_is_remembered_together() -> None:
    dedup = _dedup()
    dedup.remember(_record("thumb", "large"))
    dedup.remember(_record("thumb"))
    (known,) = dedup.known(b"c", ())
    assert {rendition.name for rendition in known.renditions} == {"thumb", "large"}
    assert {rendition.libraries for rendition in known.renditions} == {"l=1"}
    assert dedup.known(b"other", ()) == ()


def test_the_manifest_is_asked_only_for_what_this_run_has_not_made() -> None:
    asked: list[Collection[str]] = []

    def look_up(content: bytes, recipes: Collection[str]) -> list[Record]:
        asked.append(set(recipes))
        return []

    dedup = Dedup(look_up, None, Limits())  # type: ignore[arg-type]
    dedup.remember(_record("thumb"))
    assert dedup.known(b"c", {"recipe of thumb"})
    assert asked == []
    assert dedup.known(b"c", {"recipe of thumb", "recipe of large"})
    assert asked == [{"recipe of thumb", "recipe of large"}]


@pytest.mark.usefixtures("settled")
def test_of_many_copies_the_manifest_is_asked_for_the_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put("a.jpg", jpeg())
    world.run()
    asked: list[bytes] = []
    really = Manifest.made

    def made(self: Manifest, content: bytes, recipes: Collection[str]) -> list[Record]:
        asked.append(content)
        return really(self, content, recipes)

    monkeypatch.setattr(Manifest, "made", made)
    for number in range(50):
        world.put(f"b/{number}.jpg", jpeg())
    summary = world.run(threads=1)
    assert (summary.reused, len(asked)) == (50, 1)


@pytest.mark.parametrize(
    ("header", "limits", "there"),
    [
        (Header("gif", 10, 10, 5, "P", 0), Limits(frames=5, pixels=500), True),
        (Header("gif", 10, 10, 5, "P", 0), Limits(frames=4), False),
        (Header("gif", 10, 10, 5, "P", 0), Limits(pixels=499), False),
        (Header("tiff", 10, 10, 5, "RGB", 0), Limits(frames=1, pixels=100), True),  # further pages are not decoded
    ],
)
def test_what_the_limits_would_refuse_is_not_known(header: Header, limits: Limits, there: bool) -> None:
    dedup = _dedup(limits)
    dedup.remember(replace(_record("thumb"), header=header))
    assert bool(dedup.known(b"c", ())) is there


def test_who_waits_for_its_turn_hears_when_its_token_is_taken_away() -> None:
    dedup, token = _dedup(), Token()
    held, through = threading.Event(), threading.Event()

    def hold() -> None:
        with dedup.turn(b"c", Token()):
            held.set()
            through.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    token.revoke()
    with pytest.raises(Revoked), dedup.turn(b"c", token):
        pass
    through.set()
    thread.join(60)
    with dedup.turn(b"c", Token()):
        pass


def test_a_turn_ends_also_when_its_work_fails() -> None:
    dedup = _dedup()
    with pytest.raises(ZeroDivisionError), dedup.turn(b"c", Token()):
        raise ZeroDivisionError
    with dedup.turn(b"c", Token()):
        pass
