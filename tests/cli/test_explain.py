from __future__ import annotations

import json

import pytest

from pipeline.cli.main import status_of
from pipeline.errors import ExitStatus
from tests.world import World

CONFIG = """\
source: photos
target: {path: out, on_collision: keep_extension}
renditions:
  thumb: {width: 32, format: webp}
  page:
    widths: [8, 16]
    formats: [jpeg]
    quality: {ssimulacra2: 75}
resampler: pillow
workers: {threads: 3}
"""


@pytest.fixture
def explained(world: World) -> dict[str, tuple[object, int | None]]:
    world.configure(CONFIG)
    lines = world.command("explain", "--json", str(world.config_path)).stdout.splitlines()
    return {value["key"]: (value["value"], value["line"]) for value in map(json.loads, lines)}


def test_every_value_has_the_line_that_says_it_or_none(
    world: World, explained: dict[str, tuple[object, int | None]]
) -> None:
    assert explained["source.path"] == (str(world.source), 1)
    assert explained["target.on_collision"] == ("keep_extension", 2)
    assert explained["renditions.thumb.width"] == (32, 4)
    assert explained["renditions.thumb.quality"] == (84, None)
    assert explained["renditions.page-16-jpeg.quality"] == ({"ssimulacra2": 75.0}, 8)
    assert explained["renditions.page-16-jpeg.width"] == (16, 6)
    assert explained["renditions.page-16-jpeg.format"] == ("jpeg", 7)
    assert explained["renditions.thumb.resampler"] == ("pillow", 9)
    assert explained["workers.threads"] == (3, 10)
    assert explained["limits.seconds"] == (300.0, None)


def test_each_of_several_sources_is_under_its_prefix(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.configure(CONFIG.replace("source: photos", "sources: [{path: photos, prefix: a}]"))
    assert status_of(["explain", "--json", str(world.config_path)]) == ExitStatus.OK
    lines = capsys.readouterr().out.splitlines()
    assert json.loads(lines[0]) == {"key": "sources.a.path", "value": str(world.source), "line": 1}


def test_it_reads_as_a_config_does(world: World) -> None:
    world.configure(CONFIG)
    said = world.command("explain", "--set", str(world.config_path)).stdout.splitlines()
    assert said[:2] == ["source:", f'  path: "{world.source}"'.ljust(46) + "  # thumbs.yaml:1"]
    assert not [line for line in said if "default" in line]
    everything = world.command("explain", str(world.config_path)).stdout
    assert " here\n" in everything, "what `auto` is on this machine"


def test_a_wrong_config_is_refused_as_everywhere(world: World) -> None:
    world.configure("source: photos\n")
    assert world.command("explain", str(world.config_path)).returncode == 2


def test_the_keys_of_a_store_are_those_of_its_section(world: World) -> None:
    store = "{url: s3://bucket/made, region: eu-north-1, headers: {owner: me}}"
    world.configure(CONFIG.replace("{path: out, on_collision: keep_extension}", f"{store}\nmanifest: m.sqlite"))
    lines = world.command("explain", "--json", str(world.config_path)).stdout.splitlines()
    values = {value["key"]: (value["value"], value["line"]) for value in map(json.loads, lines)}
    assert values["target.url"] == ("s3://bucket/made", 2)
    assert values["target.region"] == ("eu-north-1", 2)
    assert values["target.retry"] == (120.0, None)
    assert "target.path" not in values


def test_what_is_said_of_one_format_is_shown_as_it_was_written(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    of_each = "{jpeg: {quality: {ssimulacra2: 70}},\n    webp: {quality: 5}}"
    world.configure(f"source: photos\ntarget: out\nrenditions:\n  a: {{formats: {of_each}, width: 8}}\n")
    assert status_of(["explain", "--json", str(world.config_path)]) == ExitStatus.OK
    lines = capsys.readouterr().out.splitlines()
    values = {value["key"]: (value["value"], value["line"]) for value in map(json.loads, lines)}
    assert values["renditions.a-jpeg.quality"] == ({"ssimulacra2": 70.0}, 4)
    assert values["renditions.a-webp.quality"] == (5, 5)
    assert values["renditions.a-webp.format"] == ("webp", 5)
