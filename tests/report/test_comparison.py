"""The page of a comparison: what is in it, and what is not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.load import load
from pipeline.errors import UsageError
from pipeline.report import comparison
from pipeline.run.compare.comparing import Comparison, compared
from pipeline.run.compare.recipes import of_configs, of_qualities
from pipeline.run.compare.totals import totals
from tests.world import World, jpeg

HOSTILE = "<img src=x onerror=alert(1)>&\"'.jpg"


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.configure(world.text + "workers: {processes: 0, threads: 2}\n")
    world.put(HOSTILE, jpeg((9, 200, 40)))
    return world


@pytest.fixture
def compared_(world: World) -> Iterator[Comparison]:
    with compared(of_qualities(world.config, [40, 80], []), 8, (), lambda what, share: None) as done:
        yield done


def page(compared_: Comparison, path: Path) -> str:
    comparison.write(compared_, totals(compared_), path)
    return path.read_text()


def read_back(text: str) -> dict[str, Any]:
    match = re.search(r'<script type="application/json" id="comparison">(.*?)</script>', text)
    assert match
    values: dict[str, Any] = json.loads(match[1])
    return values


def test_the_page_holds_its_pictures_once_each_and_names_as_text(compared_: Comparison, tmp_path: Path) -> None:
    text = page(compared_, tmp_path / "page.html")
    values = read_back(text)
    assert [case["source"] for case in values["cases"]] == [HOSTILE]
    assert len(values["files"]) == 3  # two qualities and their reference
    assert len({side["reference"] for side in values["cases"][0]["sides"]}) == 1
    assert HOSTILE not in text
    assert "img-src data:;" in text
    assert re.findall(r"""\s(?:src|href|on[a-z]+)=["'][^"']*""", text) == []


def test_pictures_that_could_not_be_read_are_named(compared_: Comparison, tmp_path: Path) -> None:
    unreadable = (HOSTILE, *(f"{number:02}.jpg" for number in range(11)))
    sample = replace(compared_.sample, all_pictures=13, candidates=13, unreadable=unreadable)
    told = comparison.basis(replace(compared_, sample=sample))
    names = ", ".join(unreadable[:10])
    assert told[-1] == f"12 pictures could not be read, left out of the totals: {names}, and 2 more"
    assert HOSTILE not in page(replace(compared_, sample=sample), tmp_path / "page.html")


def test_pictures_that_do_not_fit_have_their_figures_only(
    compared_: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "MOST", 10)
    text = page(compared_, tmp_path / "page.html")
    assert read_back(text)["files"] == []
    assert "1 of these have their figures only" in text


def test_the_page_goes_beside_the_config_and_over_a_comparison_only(world: World, compared_: Comparison) -> None:
    path = comparison.place(world.config)
    assert path == world.root / "thumbs-compare.html"
    page(compared_, path)
    assert comparison.place(world.config) == path
    (world.root / "report.html").write_text('<meta name="generator" content="pipeline report">')
    with pytest.raises(UsageError, match="is no comparison"):
        comparison.place(world.config, world.root / "report.html")
    with pytest.raises(UsageError, match="must not be in the target"):
        comparison.place(world.config, world.target / "x.html")


def test_that_a_folder_is_missing_is_told_before_anything_is_rendered(world: World) -> None:
    with pytest.raises(UsageError, match="no comparison can be written to a folder that is missing"):
        comparison.place(world.config, world.root / "missing" / "x.html")


def test_two_configs_are_told_by_what_the_second_comes_to(world: World, tmp_path: Path) -> None:
    smaller = world.root / "small.yaml"
    smaller.write_text(world.text.replace("height: 32", "height: 32, quality: 20"))
    recipes = of_configs([world.config, load(smaller)], [])
    with compared(recipes, 8, (), lambda what, share: None) as done:
        assert re.search(r"<h1>small is \d+% smaller than thumbs.</h1>", page(done, tmp_path / "page.html"))
