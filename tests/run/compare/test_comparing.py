"""Recipes compared on a small folder, in this process: `processes: 0` is the same line without children."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.config.load import load
from pipeline.errors import SourceTrouble, UsageError
from pipeline.run.compare.comparing import compared
from pipeline.run.compare.recipes import of_configs, of_qualities
from pipeline.run.compare.totals import totals
from tests.world import World, jpeg

CONFIG = """
source: photos
target: out
renditions:
  thumb: {width: 24, height: 24}
  page: {width: 40, format: webp}
workers: {processes: 0, threads: 2}
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path, CONFIG)
    world.put("a.jpg")
    world.put("it's [b] {x}, \\y.JPG")
    world.settle()
    return world


def quiet(what: str, share: float) -> None:
    assert what
    assert 0 <= share <= 1


def everything(root: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(root)): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted(root.rglob("*"))
    }


def test_the_files_are_those_of_a_run_and_nothing_of_the_users_is_touched(world: World) -> None:
    world.run()
    before = everything(world.root)
    with compared(of_configs([world.config], []) * 2, 8, (), quiet) as comparison:
        made = {
            rendition.file.read_bytes()
            for case in comparison.cases
            for rendition in case.made
            if rendition and rendition.file
        }
    assert everything(world.root) == before
    assert {hashlib.sha256(content).digest() for content in made} == {
        hashlib.sha256(content).digest() for content in world.tree().values()
    }


def test_a_list_of_urls_is_refused_before_its_servers_are_asked(world: World) -> None:
    (world.root / "urls.txt").write_text("http://127.0.0.1:1/a.jpg\n")
    world.configure(CONFIG.replace("source: photos", "source: {path: urls.txt, fetch: {allow_private: true}}"))
    with (
        pytest.raises(UsageError, match="would have to send each picture many times"),
        compared(of_qualities(world.config, [30, 90], []), 8, (), quiet),
    ):
        pass


def test_less_quality_is_fewer_bytes_and_less_similar(world: World) -> None:
    with compared(of_qualities(world.config, [30, 90], []), 8, (), quiet) as comparison:
        assert [recipe.name for recipe in comparison.recipes] == ["quality 30", "quality 90"]
        assert comparison.renditions == ("thumb", "page")
        for case in comparison.cases:
            low, high = case.made
            assert low
            assert high
            assert low.bytes < high.bytes
            assert low.score is not None
            assert high.score is not None
            assert low.score < high.score <= 100
        estimated = totals(comparison)
    assert estimated.bytes[0].value < estimated.bytes[1].value
    assert estimated.bytes[0].doubt == 0
    assert estimated.bytes[1].value == sum(case.made[1].bytes for case in comparison.cases if case.made[1])


def test_the_formats_of_a_family_share_their_references(world: World) -> None:
    world.configure(
        world.text.replace("page: {width: 40, format: webp}", "page: {widths: [20, 40], formats: [webp, jpeg]}")
    )
    with compared(of_qualities(world.config, [30, 90], ["page"]), 8, ("a.jpg",), quiet) as comparison:
        made = {
            case.rendition: [reference and reference.file for reference in case.references] for case in comparison.cases
        }
    assert made["page-20-webp"] == made["page-20-jpeg"]
    assert len({file for files in made.values() for file in files}) == 2


def test_one_quality_is_compared_with_the_config_as_it_is(world: World) -> None:
    assert [recipe.name for recipe in of_qualities(world.config, [50], ["thumb"])] == ["as it is", "quality 50"]


def test_pictures_are_those_of_the_first_config(world: World) -> None:
    other = world.root / "other.yaml"
    other.write_text("source: nowhere\ntarget: there\nrenditions:\n  thumb: {width: 10}\nworkers: {processes: 0}\n")
    with compared(of_configs([world.config, load(other)], []), 8, ("a.jpg",), quiet) as comparison:
        assert [(case.picture.source, case.rendition) for case in comparison.cases] == [
            ("a.jpg", "thumb"),
            ("a.jpg", "page"),
        ]
        thumb, page = comparison.cases
    assert [made and made.width for made in thumb.made] == [24, 10]
    assert page.made[1] is None
    assert [made and made.width for made in thumb.references] == [24, 10]


def test_rules_hold_and_have_their_references_and_qualities(world: World) -> None:
    world.put("scans/x.jpg")
    world.configure(
        world.text
        + "rules:\n  - match: scans/**\n    renditions: {thumb: {width: 12, background: '#00ff00'}, page: false}\n"
    )
    with compared(of_qualities(world.config, [30, 90], []), 8, (), quiet) as comparison:
        scans = [case for case in comparison.cases if case.picture.source == "scans/x.jpg"]
    assert [case.rendition for case in scans] == ["thumb"]
    assert [made and made.width for made in (*scans[0].made, *scans[0].references)] == [12, 12, 12, 12]
    low, high = scans[0].made
    assert low
    assert high
    assert low.bytes < high.bytes


def test_pictures_of_several_sources_keep_their_prefixes(world: World) -> None:
    (world.root / "more").mkdir()
    (world.root / "more" / "b.jpg").write_bytes(jpeg())
    world.configure(
        world.text.replace("source: photos", "sources: [{path: photos, prefix: one}, {path: more, prefix: two}]")
    )
    with compared(of_configs([world.config], ["thumb"]) * 2, 8, ("*/[ab].jpg",), quiet) as comparison:
        assert [case.picture.source for case in comparison.cases] == ["one/a.jpg", "two/b.jpg"]
        assert all(made and made.file for case in comparison.cases for made in case.made)


def test_a_picture_that_one_recipe_fails_to_make_counts_for_none(world: World) -> None:
    small = replace(world.config.specs[0], max_bytes=100)
    impossible = replace(world.config, specs=(small,))
    with compared(of_configs([world.config, impossible], ["thumb"]), 8, (), quiet) as comparison:
        estimated = totals(comparison)
    assert [total.failed for total in estimated.renditions] == [0, 2]
    assert [estimate.value for estimate in estimated.bytes] == [0, 0]
    assert all(case.made[1] and case.made[1].error.startswith("not encodable") for case in comparison.cases)


def test_a_broken_picture_is_left_out(world: World) -> None:
    world.put("broken.jpg", b"\xff\xd8\xff\xe0 no more")
    with compared(of_configs([world.config], []) * 2, 8, (), quiet) as comparison:
        assert {case.picture.source for case in comparison.cases} == {"a.jpg", "it's [b] {x}, \\y.JPG"}
        assert comparison.sample.unreadable == ("broken.jpg",)


def test_a_target_in_the_source_is_no_source(world: World) -> None:
    inside = replace(world.config, target=replace(world.config.target, path=world.source / "out [1]"))
    (world.source / "out [1]").mkdir()
    (world.source / "out [1]" / "made.jpg").write_bytes(jpeg())
    with compared(of_configs([inside], []) * 2, 8, (), quiet) as comparison:
        assert len({case.picture.source for case in comparison.cases}) == 2


def test_no_picture_to_compare_with_is_said(world: World) -> None:
    with (
        pytest.raises(SourceTrouble, match="no picture to compare"),
        compared(of_configs([world.config], []) * 2, 8, ("none/**",), quiet),
    ):
        pass


def test_recipes_with_nothing_in_common_are_refused(world: World) -> None:
    other = replace(world.config, specs=(replace(world.config.specs[0], name="else"),))
    with pytest.raises(UsageError, match=r"nothing to compare: .*thumbs.*thumb, page.*else"):
        of_configs([world.config, other], [])
    with pytest.raises(UsageError, match="--rendition hero: there is none"):
        of_qualities(world.config, [10, 20], ["hero"])
