"""The numbers of the page against those of the manifest."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.manifest.runs import RunSummary, Stages
from pipeline.manifest.shown import renditions
from pipeline.manifest.store import Manifest
from pipeline.plan.rules import names_of
from pipeline.report.gallery import Gallery
from pipeline.report.numbers import Bar, Totals, bound, count
from tests.pictures import encoded
from tests.world import World, jpeg

TWO = "source: photos\ntarget: out\nrenditions:\n  thumb: {width: 32, height: 32}\n  wide: {width: 40, format: webp}\n"


def counted(world: World) -> tuple[Totals, dict[str, Any]]:
    config = world.config
    gallery = Gallery(config.rendition_names)
    with Manifest.reader(config) as reader:
        return count(renditions(reader), names_of(config), gallery), gallery.plain()


def gif(frames: int) -> bytes:
    first, *others = (Image.new("L", (8, 8), 60 * number) for number in range(frames))
    return encoded(first, "GIF", save_all=True, append_images=others)


def test_totals_are_those_of_the_files(tmp_path: Path) -> None:
    world = World(tmp_path, TWO)
    world.fill(5)
    world.put("a/broken.jpg", jpeg()[:-300])
    world.put("readme.txt", b"no picture")
    world.run()
    totals, _ = counted(world)
    files = world.tree()
    assert (totals.sources, totals.whole, totals.renditions) == (6, 5, 10)
    assert totals.bytes == sum(map(len, files.values()))
    assert totals.formats["webp"].bytes == sum(len(file) for name, file in files.items() if name.endswith(".webp"))
    made = list(world.source.rglob("0*.jpg"))
    assert totals.source_bytes == totals.formats["jpeg"].source_bytes == sum(path.stat().st_size for path in made)
    assert totals.classes() == [Bar("a", 3), Bar("b", 2), Bar("c", 1)]
    assert totals.rendition_sizes() == [Bar("under 4 kB", 10)]
    assert totals.source_sizes() == [Bar("under ¼ Mpx", 5)]


def test_a_picture_is_whole_with_what_its_rule_asks_for(tmp_path: Path) -> None:
    world = World(tmp_path, TWO + "rules:\n  - {match: a.jpg, renditions: {wide: false}}\n")
    world.put("a.jpg")
    world.put("b.jpg")
    world.run()
    totals, _ = counted(world)
    assert (totals.sources, totals.whole, totals.renditions) == (2, 2, 3)


def test_what_the_config_asks_for_no_more_does_not_count(tmp_path: Path) -> None:
    world = World(tmp_path, TWO)
    world.fill(3)
    world.run()
    world.configure(TWO.replace("  thumb: {width: 32, height: 32}\n", ""))
    totals, gallery = counted(world)
    assert (totals.sources, totals.whole, totals.renditions, list(totals.formats)) == (3, 3, 3, ["webp"])
    assert gallery["names"] == ["wide"]


def test_a_rendition_that_is_asked_for_and_not_made_yet_leaves_its_picture_incomplete(tmp_path: Path) -> None:
    world = World(tmp_path, TWO)
    world.fill(3)
    world.run()
    world.configure(TWO + "  more: {width: 8}\n")
    totals, _ = counted(world)
    assert (totals.sources, totals.whole, totals.renditions) == (3, 0, 6)


def test_the_gallery_has_every_rendition_with_its_source(tmp_path: Path) -> None:
    world = World(tmp_path, TWO + "placeholder: true\n")
    world.put("a/1.jpg", jpeg((9, 9, 9), (80, 40)))
    world.run()
    _, gallery = counted(world)
    [[folder, name, source_format, width, height, size, color, thumbhash, alt]] = gallery["sources"]
    assert (gallery["folders"][folder], name, gallery["formats"][source_format]) == ("a", "1.jpg", "jpeg")
    assert (width, height, size, alt) == (80, 40, (world.source / "a/1.jpg").stat().st_size, "")
    assert color.startswith("#")
    assert thumbhash
    assert [rendition[4:8] for rendition in gallery["renditions"]] == [
        [32, 16, len(world.tree()["a/1-thumb.jpg"]), "a/1-thumb.jpg"],
        [40, 20, len(world.tree()["a/1-wide.webp"]), "a/1-wide.webp"],
    ]


def test_a_name_that_is_not_shown_as_it_is_keeps_its_address(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.put("a\n\udcff.jpg")
    world.run()
    _, gallery = counted(world)
    assert gallery["sources"][0][1] == "a\\n\\xff.jpg"
    assert gallery["sources"][0][-1] == "a%0A%FF.jpg"
    assert gallery["renditions"][0][-1] == "a%0A%FF-thumb.jpg"


def test_warnings_are_counted_by_kind_and_once_for_each_picture(tmp_path: Path) -> None:
    world = World(tmp_path, TWO)
    world.put("a.gif", gif(3))
    world.put("b.gif", gif(2))
    world.put("c.jpg")
    world.run()
    totals, _ = counted(world)
    (warned,) = totals.warned()
    assert (warned.kind, warned.pictures, warned.source) == ("first of N frames only", 2, "a.gif")
    assert warned.text == "first of 3 frames only: jpeg holds no animation"


def test_kinds_of_warnings_have_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.report.numbers._KINDS", 1)
    world = World(tmp_path)
    world.put("a.gif", gif(3))
    world.put("b.jpg")
    world.run()
    with contextlib.closing(sqlite3.connect(world.config.manifest)) as connection, connection:
        connection.execute("UPDATE rendition SET warnings = '[\"one\", \"two: x\"]' WHERE warnings = '[]'")
    totals, _ = counted(world)
    assert [(warned.kind, warned.pictures) for warned in totals.warned()] == [
        ("first of N frames only", 1),
        ("other", 1),
    ]


def ran(seconds: float, **settings: int) -> RunSummary:
    counts = {"done": 100}
    return RunSummary(1, "r", "c", (), 1, "h", 1000.0, 1000.0 + seconds, 0, counts, settings, "")


@pytest.mark.parametrize(
    ("stages", "begins"),
    [
        (Stages(100, decode=12.0, resize=3.0, encode=3.0), "Rendering: "),
        (Stages(100, read=30.0, decode=5.0), "Reading: "),
        (Stages(100, write=30.0, decode=5.0), "Writing: "),
        (Stages(100, decode=5.0), "No stage by itself: "),
        (Stages(50, decode=18.0), ""),  # half of it was made anew since: its seconds are not there
    ],
)
def test_what_bounded_a_run_follows_from_its_stages(stages: Stages, begins: str) -> None:
    said = bound(ran(10.0, threads=8, processes=2), stages, 4)
    assert said.startswith(begins)
    assert bool(said) == bool(begins)


def test_a_busy_main_process_is_told_where_the_children_had_time() -> None:
    run = ran(10.0, threads=8, processes=2)
    busy = replace(run, settings={**run.settings, "seconds_of_driver": 9.5})
    assert bound(busy, Stages(100, decode=12.0), 4).startswith("The main process: ")
    assert bound(busy, Stages(100, decode=19.8), 4).startswith("Rendering: ")


def test_what_bounded_a_run_is_said_in_the_seconds_of_the_table_beside_it() -> None:
    said = bound(ran(10.0, threads=8, processes=2), Stages(100, read=3.0, decode=12.0, resize=3.0, encode=3.0), 4)
    assert said == "Rendering: decode, resize and encode took 18 s of the 20 s that 2 children had (90%)."
    said = bound(ran(10.0, threads=8, processes=0), Stages(100, read=40.0, decode=2.0), 4)
    assert said == "Reading: it took 40 s of the 1 min 20 s that 8 threads had (50%)."


def test_nothing_is_said_of_a_run_that_mostly_started_up() -> None:
    assert bound(ran(1.0, threads=8, processes=2), Stages(100, decode=1.9), 4) == ""


def test_a_gallery_has_an_end_and_counts_what_is_left_out(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fill(5)
    world.run()
    gallery = Gallery(["thumb"], 3)
    with Manifest.reader(world.config) as reader:
        totals = count(renditions(reader), lambda source: ["thumb"], gallery)
    assert (len(gallery.plain()["renditions"]), gallery.left_out, totals.renditions) == (3, 2, 5)


def test_a_picture_of_which_only_orphans_and_a_failure_are_there_counts(tmp_path: Path) -> None:
    world = World(tmp_path, TWO)
    world.put("a.jpg")
    world.run()
    world.put("a.jpg", jpeg()[:-300])
    world.configure(TWO.replace("thumb:", "other:").replace("wide:", "more:"))
    world.run()
    totals, _ = counted(world)
    assert (totals.sources, totals.whole, totals.renditions) == (1, 0, 0)


def test_sources_that_are_gone_and_their_orphans_count_for_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, TWO)
    world.put("deleted.jpg")
    world.put("renamed.jpg", jpeg((1, 2, 3)))
    world.put("there.jpg", jpeg((4, 5, 6)))
    world.run()
    (world.source / "deleted.jpg").unlink()
    (world.source / "renamed.jpg").rename(world.source / "new.jpg")
    world.configure(TWO.replace("wide:", "other:"))
    world.run()
    totals, shown = counted(world)
    assert (totals.sources, totals.whole, totals.renditions) == (2, 2, 4)
    assert len(shown["renditions"]) == 4
