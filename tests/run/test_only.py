"""`only` of a source: pictures outside of it are left out by their headers, counted with the reason and remembered."""

from __future__ import annotations

import json

import pytest
from PIL import ImageFile

from pipeline.cli.summary import passed_over_lines
from pipeline.errors import ExitStatus
from pipeline.model.record import Status
from pipeline.run.options import RunOptions
from pipeline.run.run import run
from pipeline.run.tally import PassedOver, Summary
from tests.pictures import as_stored, quarters
from tests.world import World, jpeg

pytestmark = pytest.mark.usefixtures("settled")


def _only(world: World, only: str, more: str = "") -> None:
    world.configure(f"source: {{path: photos, only: {only}}}\ntarget: out\nrenditions:\n  thumb: {{width: 32}}\n{more}")


@pytest.fixture
def shapes(world: World) -> World:
    """A usual picture, a small one, a banner, and one of another format."""
    world.put("banner.jpg", jpeg(size=(640, 64)))
    world.put("small.jpg", jpeg(size=(40, 40)))
    world.put("usual.jpg", jpeg(size=(320, 240)))
    quarters().save(world.source / "graphic.png")
    world.settle()
    _only(world, "{min_width: 200, max_aspect: 3, formats: [jpeg]}")
    return world


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The formats of the pictures that were decoded."""
    seen: list[str] = []
    load = ImageFile.ImageFile.load

    def noted(image: ImageFile.ImageFile) -> object:
        seen.append(image.format or "")
        return load(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", noted)
    return seen


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the sources that were read."""
    from pipeline.sources.local import LocalSource

    names: list[str] = []
    read = LocalSource.read

    def noted(self: LocalSource, source: str, *rest: object) -> object:
        names.append(source)
        return read(self, source, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(LocalSource, "read", noted)
    return names


def test_pictures_outside_are_counted_by_the_reason_and_never_decoded(shapes: World, decoded: list[str]) -> None:
    summary = shapes.run()
    assert (summary.pictures, summary.status) == ({"done": 1, "filtered": 3}, ExitStatus.OK)
    assert summary.filtered == {"formats": 1, "max_aspect": 1, "min_width": 1}
    assert {passed.source: passed.reason for passed in summary.passed_over} == {
        "banner.jpg": "max_aspect: 10.00",
        "small.jpg": "min_width: 40 pixels",
        "graphic.png": "formats: png",
    }
    assert list(shapes.tree()) == ["usual-thumb.jpg"]
    assert len(decoded) <= 2  # the picture, and its rendition's inspection


def test_what_is_filtered_is_remembered_and_not_opened_again(shapes: World, opened: list[str]) -> None:
    shapes.run()
    opened.clear()
    summary = shapes.run()
    assert summary.pictures == {"filtered": 3, "unchanged": 1}
    assert summary.filtered == {"formats": 1, "max_aspect": 1, "min_width": 1}
    assert (summary.passed_over, opened) == ((), [])


def test_a_changed_only_judges_anew_by_what_is_remembered(shapes: World, opened: list[str]) -> None:
    shapes.run()
    opened.clear()
    _only(shapes, "{min_width: 400}")
    summary = shapes.run()
    assert summary.pictures == {"done": 1, "filtered": 3}
    assert (summary.filtered, opened) == ({"min_width": 3}, ["banner.jpg"])
    assert summary.orphans == 1  # what was made of the picture that is left out now
    assert shapes.run(prune=True).removed == 1
    assert shapes.run(prune=True).pictures == {"filtered": 3, "unchanged": 1}
    assert list(shapes.tree()) == ["banner-thumb.jpg"]


def test_a_picture_that_changes_is_judged_by_what_it_is_now(shapes: World) -> None:
    shapes.run()
    shapes.put("small.jpg", jpeg(size=(300, 300)))
    assert shapes.run().pictures == {"done": 1, "filtered": 2, "unchanged": 1}


def test_width_and_height_are_those_of_the_upright_picture(world: World) -> None:
    exif = quarters().getexif()
    exif[0x0112] = 6
    as_stored(quarters((120, 300)), 6).save(world.source / "turned.jpg", exif=exif)
    world.settle()
    _only(world, "{max_width: 200, min_height: 250}")
    assert world.run().pictures == {"done": 1}


def test_copies_of_a_picture_that_is_taken_elsewhere_are_left_out_by_their_own_source(world: World) -> None:
    (world.root / "more").mkdir()
    for folder in (world.source, world.root / "more"):
        (folder / "same.jpg").write_bytes(jpeg())
    world.configure(
        "sources:\n  - {path: photos, prefix: a}\n  - {path: more, prefix: b, only: {min_width: 200}}\n"
        "target: out\nrenditions:\n  thumb: {width: 32}\n"
    )
    for _ in range(2):
        world.run()
        assert list(world.tree()) == ["a/same-thumb.jpg"]


@pytest.mark.parametrize("processes", [0, 1])
def test_batches_of_many_leave_out_the_same_pictures(world: World, processes: int) -> None:
    for number in range(60):
        world.put(f"{number:02}.jpg", jpeg(size=(40 + number % 2 * 20, 40)))
    world.settle()
    _only(world, "{min_width: 50}")
    summary = run(world.config, RunOptions(threads=1, processes=processes))
    assert (summary.pictures, len(world.tree())) == ({"done": 30, "filtered": 30}, 30)


def test_of_very_many_filtered_pictures_only_the_first_are_listed(world: World) -> None:
    summary = Summary(
        passed_over=(
            *(PassedOver(f"{number:03}.jpg", Status.FILTERED, "min_width: 8 pixels") for number in range(300)),
            PassedOver("link.jpg", Status.SKIPPED, "a symbolic link"),
        )
    )
    lines = passed_over_lines(world.config_path, summary)
    assert lines[-2] == "link.jpg: skipped: a symbolic link"
    assert lines[-1].startswith("... and 280 more that were filtered: ")
    assert len(lines) == 22


def test_summary_status_plan_manifest_and_export_say_what_is_filtered(shapes: World) -> None:
    config = str(shapes.config_path)
    ran = shapes.command("run", "-v", config)
    assert "1 picture done (1 rendition), 3 filtered (1 formats, 1 max_aspect, 1 min_width)" in ran.stderr
    assert "small.jpg: filtered: min_width: 40 pixels" in ran.stderr
    assert "; 3 filtered), 1 rendition made (" in shapes.command("status", config).stdout
    assert "3 filtered" in shapes.command("plan", config).stderr
    asked = shapes.command("manifest", "query", config, "status=filtered", "--view", "pictures", "--json").stdout
    assert sorted(json.loads(line)["source"] for line in asked.splitlines()) == [
        "banner.jpg",
        "graphic.png",
        "small.jpg",
    ]
    rows = [json.loads(line) for line in shapes.command("manifest", "export", config).stdout.splitlines()]
    expected = {"banner.jpg": "filtered", "graphic.png": "filtered", "small.jpg": "filtered", "usual.jpg": "done"}
    assert {row["source"]: row["source_status"] for row in rows} == expected


def test_a_twin_that_is_filtered_is_no_collision_any_more(world: World) -> None:
    world.put("a.jpg", jpeg(size=(300, 300)))
    world.settle()
    _only(world, "{formats: [jpeg]}")
    world.run()
    quarters().save(world.source / "a.png")
    world.settle()
    assert world.run().pictures == {"failed": 2}  # its format is not known yet
