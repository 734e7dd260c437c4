"""A rule is written as changes to the config's renditions, and comes to specs of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.load import load
from pipeline.model.spec import Fit, Format, Spec
from tests.config.test_schema import SCHEMA, accepts, plain

COMMON = """\
source: photos
target: made
renditions:
  thumb: {width: 320, height: 200, fit: cover, quality: 80}
  page: {widths: [320, 640], formats: [webp, jpeg]}
rules:
"""


def specs(folder: Path, rule: str) -> dict[str, Spec]:
    """The specs of pictures that match the rule with these renditions, by name."""
    text = f"{COMMON}  - match: scans/**\n    renditions: {rule}\n"
    assert accepts(SCHEMA, plain(text))
    (folder / "it.yaml").write_text(text)
    (settings,) = load(folder / "it.yaml").rules
    return {spec.name: spec for spec in settings.specs}


def test_a_rule_changes_single_keys_and_keeps_the_others(tmp_path: Path) -> None:
    by_name = specs(tmp_path, "{thumb: {quality: 95}}")
    assert list(by_name) == ["thumb", "page-320-webp", "page-320-jpeg", "page-640-webp", "page-640-jpeg"]
    assert by_name["thumb"] == Spec("thumb", 320, 200, Fit.COVER, quality=95)


def test_a_rendition_of_another_name_is_for_these_pictures_only(tmp_path: Path) -> None:
    assert specs(tmp_path, "{zoom: {width: 2000}}")["zoom"] == Spec("zoom", 2000)
    assert "zoom" not in [spec.name for spec in load(tmp_path / "it.yaml").specs]


def test_a_rendition_that_is_false_is_left_out(tmp_path: Path) -> None:
    assert list(specs(tmp_path, "{page: false}")) == ["thumb"]


def test_a_key_without_a_value_has_its_default_again(tmp_path: Path) -> None:
    assert specs(tmp_path, "{thumb: {height: , fit: }}")["thumb"] == Spec("thumb", 320, quality=80)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ("{widths: [100]}", ["page-100-webp", "page-100-jpeg"]),
        ("{width: 100}", ["page-webp", "page-jpeg"]),
        ("{format: avif}", ["page-320", "page-640"]),
        ("{width: 100, format: avif}", ["page"]),
    ],
)
def test_a_list_and_its_single_value_take_each_others_place(tmp_path: Path, change: str, names: list[str]) -> None:
    assert list(specs(tmp_path, f"{{thumb: false, page: {change}}}")) == names


def test_what_was_for_another_format_is_left_out(tmp_path: Path) -> None:
    thumb = specs(tmp_path, "{thumb: {format: png, effort: 9}}")["thumb"]
    assert (thumb.format, thumb.quality, thumb.effort) == (Format.PNG, None, 9)


def test_a_rule_without_changes_is_an_exception_to_later_ones(tmp_path: Path) -> None:
    (tmp_path / "it.yaml").write_text(COMMON + "  - {match: [a, '*.{png,gif}'], renditions: {}}\n")
    config = load(tmp_path / "it.yaml")
    assert [(rule.match, rule.specs) for rule in config.rules] == [(("a", "*.{png,gif}"), config.specs)]
