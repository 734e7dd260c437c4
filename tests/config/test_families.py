"""A family stands for one rendition of each of its widths and formats; what is wrong is told where it stands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.config.formats import ONLY_FOR
from pipeline.config.load import load
from pipeline.config.settings import Config
from pipeline.config.template import Template
from pipeline.errors import ConfigError
from pipeline.model.spec import Format, Spec
from pipeline.plan.recipe import recipe_id

FORMATS = ", ".join(Format)
OF_ONE = "must be a mapping of keys for this format, such as {quality: 60}"
HEAD = "source: photos\ntarget: made\nrenditions:\n"


def _config(folder: Path, text: str) -> Config:
    (folder / "it.yaml").write_text(HEAD + text)
    return load(folder / "it.yaml")


def _specs(folder: Path, text: str) -> tuple[Spec, ...]:
    return _config(folder, text).specs


def test_a_family_makes_a_rendition_of_each_width_and_format_in_the_order_of_the_lists(tmp_path: Path) -> None:
    specs = _specs(tmp_path, "  hero: {widths: [320, 1280], formats: [avif, jpeg]}\n  thumb: {width: 90}\n")
    assert [(spec.name, spec.family, spec.width, spec.format) for spec in specs] == [
        ("hero-320-avif", "hero", 320, Format.AVIF),
        ("hero-320-jpeg", "hero", 320, Format.JPEG),
        ("hero-1280-avif", "hero", 1280, Format.AVIF),
        ("hero-1280-jpeg", "hero", 1280, Format.JPEG),
        ("thumb", None, 90, Format.JPEG),
    ]


@pytest.mark.parametrize(
    ("text", "names", "targets"),
    [
        ("widths: [320], formats: [webp]", ["hero-320-webp"], ["a/photo-hero-320.webp"]),
        ("widths: [320, 64], format: png", ["hero-320", "hero-64"], ["a/photo-hero-320.png", "a/photo-hero-64.png"]),
        ("formats: [avif, jpeg], width: 9", ["hero-avif", "hero-jpeg"], ["a/photo-hero.avif", "a/photo-hero.jpg"]),
    ],
)
def test_names_are_unique_and_files_are_named_by_family_and_width(
    tmp_path: Path, text: str, names: list[str], targets: list[str]
) -> None:
    config = _config(tmp_path, f"  hero: {{{text}}}\n")
    template = Template.parse(config.target.name)
    assert [spec.name for spec in config.specs] == names
    assert [template.target("a/photo.jpg", spec) for spec in config.specs] == targets


def test_a_member_of_a_family_has_the_recipe_of_the_same_rendition_alone(tmp_path: Path) -> None:
    (member, _, alone) = _specs(tmp_path, "  hero: {widths: [320, 9], height: 5}\n  other: {width: 320, height: 5}\n")
    assert recipe_id(member) == recipe_id(alone)


def test_what_only_some_formats_know_is_for_those(tmp_path: Path) -> None:
    specs = _specs(tmp_path, "  hero: {formats: [webp, png, jpeg], quality: 70, progressive: true}\n")
    assert [(spec.quality, spec.progressive) for spec in specs] == [(70, None), (None, None), (70, True)]


def test_a_format_of_a_family_has_keys_of_its_own(tmp_path: Path) -> None:
    family = "formats: {avif: {quality: 50, effort: 2}, webp: {quality: }, png: , jpeg: {}}, quality: 70"
    specs = _specs(tmp_path, f"  hero: {{widths: [9, 8], {family}}}\n")
    assert [(spec.name, spec.quality, spec.effort) for spec in specs[:4]] == [
        ("hero-9-avif", 50, 2),
        ("hero-9-webp", None, None),
        ("hero-9-png", None, None),
        ("hero-9-jpeg", 70, None),
    ]
    assert [replace(spec, name="", width=9) for spec in specs[4:]] == [replace(spec, name="") for spec in specs[:4]]


def test_a_mapping_of_formats_without_keys_is_the_list(tmp_path: Path) -> None:
    listed = _specs(tmp_path, "  hero: {widths: [9], formats: [avif, jpeg], quality: 70}\n")
    assert _specs(tmp_path, "  hero: {widths: [9], formats: {avif: , jpeg: {}}, quality: 70}\n") == listed


def test_a_rule_changes_the_formats_of_a_family(tmp_path: Path) -> None:
    config = _config(
        tmp_path,
        "  hero: {formats: {avif: {quality: 50}, jpeg: {}}, width: 9}\n"
        "rules:\n- {match: a, renditions: {hero: {quality: 90}}}\n"
        "- {match: b, renditions: {hero: {formats: {jpeg: {quality: 5}}}}}\n",
    )
    assert [[(spec.format, spec.quality) for spec in rule.specs] for rule in config.rules] == [
        [(Format.AVIF, 50), (Format.JPEG, 90)],  # what is said of a format goes before what is beside it
        [(Format.JPEG, 5)],
    ]


def test_a_family_of_several_widths_has_one_shape(tmp_path: Path) -> None:
    (tmp_path / "it.yaml").write_text(
        "source: photos\ntarget: made\nrenditions:\n"
        "  a: {widths: [100, 200], height: 50, fit: cover}\n"
        "  b: {widths: [100, 200], aspect: 2:1, fit: cover}\n"
        "  c: {widths: [100], height: 50, fit: cover}\n"
        "  d: {widths: [100, 200], height: 500}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "it.yaml")
    assert str(caught.value).removeprefix(str(tmp_path / "it.yaml")) == (
        ":4:27: renditions.a.height: gives each of the widths another shape; write aspect: 16:9 "
        "in its place, or one width"
    )


def test_a_family_has_placeholders_and_others_if_asked(tmp_path: Path) -> None:
    assert _config(tmp_path, "  hero: {widths: [5]}\n").placeholder
    assert not _config(tmp_path, "  hero: {width: 5}\n").placeholder
    assert _config(tmp_path, "  hero: {width: 5}\nplaceholder: true\n").placeholder


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "  hero: {widths: [320, 0, x]}",
            [
                "4:24: renditions.hero.widths #2: must be a whole number from 1 to 65535 (got 0)",
                '4:27: renditions.hero.widths #3: must be a whole number from 1 to 65535 (got "x")',
            ],
        ),
        (
            "  hero: {widths: [320, 20000], formats: [jpeg, webp]}",
            ["4:24: renditions.hero.widths #2: must be at most 16383 for webp (got 20000)"],
        ),
        (
            "  hero: {widths: [9], formats: [jpg]}",
            [
                "4:33: renditions.hero.formats #1: must be one of " + FORMATS + ' (got "jpg"; did you mean "jpeg"?)',
            ],
        ),
        ("  hero: {widths: [9, 9]}", ["4:22: renditions.hero.widths #2: is there twice"]),
        ("  hero: {formats: [gif, gif]}", ["4:25: renditions.hero.formats #2: is there twice"]),
        (
            "  hero: {widths: [9], width: 9}",
            ["4:10: renditions.hero.widths: stands in the place of width; leave one of them out"],
        ),
        (
            "  hero: {widths: []}",
            ["4:18: renditions.hero.widths: must be a list of whole numbers such as [320, 640, 1280] (got a list)"],
        ),
        (
            "  hero: {formats: webp}",
            ['4:19: renditions.hero.formats: must be a list of formats such as [avif, webp, jpeg] (got "webp")'],
        ),
        (
            "  hero: {widths: [9, 8], qualty: 5}",
            ['4:26: renditions.hero.qualty: is no key that is known; did you mean "quality"?'],
        ),
        (
            "  hero: {formats: [png, gif], quality: 5}",
            [
                "4:40: renditions.hero.quality: is only for jpeg, webp, avif, jxl; the format is gif",
                "4:40: renditions.hero.quality: is only for jpeg, webp, avif, jxl; the format is png",
            ],
        ),
        (
            "  hero: {formats: {avif: {quality: 101, width: 2}, jpg: , png: {quality: 5}, jpeg: 90}}",
            [
                "4:36: renditions.hero.formats.avif.quality: must be a whole number from 1 to 100 (got 101)",
                "4:41: renditions.hero.formats.avif.width: is no key for one format; those are " + ", ".join(ONLY_FOR),
                f'4:52: renditions.hero.formats.jpg: must be one of {FORMATS} (got "jpg"; did you mean "jpeg"?)',
                "4:74: renditions.hero.formats.png.quality: is only for jpeg, webp, avif, jxl; the format is png",
                f"4:84: renditions.hero.formats.jpeg: {OF_ONE} (got 90)",
            ],
        ),
        (
            "  hero: {formats: {}}",
            ["4:19: renditions.hero.formats: must be a list of formats such as [avif, webp, jpeg] (got a mapping)"],
        ),
        (
            "  hero-9: {width: 5}\n  hero: {widths: [8, 9]}",
            ['5:22: renditions.hero: makes a rendition "hero-9", which is there already'],
        ),
        (
            "  a: {widths: [8, 9], fit: cover}",
            ["4:28: renditions.a.fit: cover needs both width and height; height is missing"],
        ),
        (
            f"  a: {{widths: {list(range(1, 52))}, formats: [png, gif]}}",
            ["4:6: renditions.a: makes 102 renditions of every picture; 100 are the most"],
        ),
    ],
)
def test_what_is_wrong_with_a_family_is_told_where_it_stands(tmp_path: Path, text: str, said: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        _config(tmp_path, text + "\n")
    assert str(caught.value).splitlines() == [f"{tmp_path / 'it.yaml'}:{line}" for line in said]


def test_two_formats_need_their_extension_in_the_name(tmp_path: Path) -> None:
    (tmp_path / "it.yaml").write_text(
        "source: photos\ntarget: {path: made, name: '{stem}-{rendition}.img'}\nrenditions: {a: {formats: [png, gif]}}\n"
    )
    with pytest.raises(ConfigError, match=r"3:14: renditions.a: would make the same files as \"a-png\"; put {ext}"):
        load(tmp_path / "it.yaml")
