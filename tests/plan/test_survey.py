from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import SourceTrouble

from .builders import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def warned(house: House, **options: object) -> list[str]:
    planner = house.planner(**options)
    list(planner.decisions())
    return planner.warnings


def filtered(house: House, *include: str, exclude: tuple[str, ...] = ()) -> None:
    house.source_settings = replace(house.source_settings, include=include, exclude=exclude)


def test_an_include_that_matches_nothing_is_told_with_what_is_there(house: House) -> None:
    house.put("b/y.jpg", "b/X.JPG", "c.png")
    filtered(house, "*.jpeg")
    assert warned(house) == [f"none of the files in {house.source} passes source.include; there are 3, such as 'c.png'"]
    filtered(house, "b/*", exclude=("*.jpg",))
    assert warned(house) == [
        f"none of the files in {house.source} passes source.include and source.exclude; there are 3, such as 'c.png'"
    ]
    filtered(house, "*.{jpeg,jpg}")
    assert warned(house) == []


def test_a_pipelineignore_that_leaves_nothing_is_told_like_a_pattern(house: House) -> None:
    house.put("a.jpg", "a.jpg.yaml", "b.jpg")
    (house.source / ".pipelineignore").write_text("*.jpg\n*.yaml\n")
    assert warned(house) == [
        f"none of the files in {house.source} passes what .pipelineignore says; there are 2, such as 'a.jpg'"
    ]


def test_an_empty_source_is_not_blamed_on_a_pattern(house: House) -> None:
    filtered(house, "*.jpeg")
    assert warned(house) == []


def test_an_include_that_matches_nothing_any_more_is_not_taken_for_an_unmounted_disk(house: House) -> None:
    house.put("a.jpg")
    house.make("a.jpg")
    filtered(house, "*.jpeg")
    with pytest.raises(SourceTrouble, match=r"passes source\.include; there is 'a\.jpg', although the manifest knows"):
        warned(house)


def test_an_only_that_matches_nothing_is_told_with_what_is_there(house: House) -> None:
    house.put("a.jpg", "b/c.jpg")
    told = f"none of the files in {house.source} matches --only 'zzz/*'; there are 2, such as 'a.jpg'"
    assert warned(house, only=("zzz/*",)) == [told]
    house.make("a.jpg", "b/c.jpg")
    assert warned(house, only=("zzz/*",)) == [told]
    assert warned(house, only=("zzz/*", "b/*")) == []
    assert warned(house, only=("zzz/*",), limit=0) == []
