"""`pipeline compare`, in this process."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.cli.main import status_of
from pipeline.report import comparison
from pipeline.run.compare.comparing import Comparison
from pipeline.run.compare.recipes import Recipe
from pipeline.run.compare.strata import Sample, Stratum
from tests.pictures import encoded, noise
from tests.world import World


@contextmanager
def fine(recipes: Sequence[Recipe], *_: object) -> Iterator[Comparison]:
    """What a comparison comes to, without rendering anything."""
    yield Comparison(tuple(recipes), Sample((), (Stratum("other", 1, 1),), 1, 1, ()), (), ())


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.configure(world.text + "workers: {processes: 0, threads: 2}\n")
    world.put("a.jpg")
    return world


def test_qualities_come_to_a_table_and_a_page(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["compare", str(world.config_path), "--quality", "30, 90"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].split() == ["quality", "30", "quality", "90"]
    assert [line.split()[0] for line in lines[1:6]] == ["thumb", "bytes", "similarity", "worst", "work"]
    assert "all 1 picture rendered (1 other): the totals are exact" in lines
    assert err.startswith("compare: about 40 pictures, each by quality 30, quality 90; ")
    assert f"wrote {world.root / 'thumbs-compare.html'}" in err
    assert (world.root / "thumbs-compare.html").is_file()


def test_a_family_of_several_formats_has_a_total_for_each(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.configure(world.text.replace("thumb: {width: 32, height: 32}", "hero: {widths: [8], formats: [webp, jpeg]}"))
    assert status_of(["compare", str(world.config_path), "--quality", "30,90"]) == 0
    lines = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert lines.index(["all", "webp,"]) + 2 == lines.index(["all", "jpeg,"]) + 1 == lines.index(["all,", "bytes"])
    page = (world.root / "thumbs-compare.html").read_text()
    assert "<h2>By format</h2>" in page
    assert "webp, quality 90</th>" in page


def test_the_table_says_how_far_an_estimate_may_be_off(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(1, 9):
        world.put(f"{number}.jpg", encoded(noise((8 * number, 8), 20), "JPEG"))
    assert status_of(["compare", str(world.config_path), "--quality", "30,90", "--sample", "6"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"bytes +\S+ k?B ± \S+ k?B +\S+ k?B ± \S+ k?B \(\+\d+%\)", out)
    assert "± is by how much a total may be off" in out


def test_tiles_without_room_and_a_way_to_fewer_renditions_are_told(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "MOST", 10)
    world.configure(world.text.replace("thumb: {width: 32, height: 32}", "hero: {widths: [4, 5, 6, 7, 8, 9]}"))
    chosen = "all 6 renditions are compared; --rendition NAME takes one of them, or one family\n"
    assert status_of(["compare", str(world.config_path), "--quality", "30,90"]) == 0
    err = capsys.readouterr().err
    assert chosen in err
    assert "\n6 of 6 tiles have only figures: the page has no more room; --rendition NAME or " in err
    assert status_of(["compare", str(world.config_path), "--quality", "30,90", "--rendition", "hero-4"]) == 0
    err = capsys.readouterr().err
    assert "renditions are compared" not in err
    assert "\n1 of 1 tile has only figures: " in err


def test_json_has_every_figure(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["compare", str(world.config_path), "--quality", "30,90", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["recipes"] == ["quality 30", "quality 90"]
    assert [case["source"] for case in values["cases"]] == ["a.jpg", "a.jpg"]
    assert values["bytes"][0]["value"] == values["cases"][0]["bytes"] < values["bytes"][1]["value"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "with what? Name a second config, or qualities"),
        (("--quality", "0,50"), '"0,50" is no list of whole numbers from 1 to 100'),
        (("--quality", "high"), '"high" is no list'),
        (("thumbs.yaml",), "there is nothing to compare: thumbs.yaml and thumbs.yaml make the same of every picture"),
        (("--quality", "82"), "as it is and quality 82 make the same of every picture"),
        (("thumbs.yaml", "--quality", "50,60"), "--quality is for one CONFIG"),
        (("--quality", "50,60", "--rendition", "hero"), "--rendition hero: there is none of that name"),
        (("--quality", "9" * 5000), '9…" is no list of whole numbers from 1 to 100'),
        (("--quality", "50,60", "--output", "out/x.html"), "must not be in the target"),
    ],
)
def test_what_cannot_be_compared_is_a_usage_error(
    world: World,
    arguments: tuple[str, ...],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(world.root)
    assert status_of(["compare", "thumbs.yaml", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not (world.root / "thumbs-compare.html").exists()
