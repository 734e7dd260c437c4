"""A glance at a config: it agrees with what checking finds, and never fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.load import Peek, load, peek

RENDITIONS = "renditions:\n  thumb: {width: 32, height: 32}\n"


@pytest.mark.parametrize(
    "places",
    [
        "source: photos\ntarget: out\n",
        "source: {path: photos}\ntarget: {path: ../elsewhere/out}\n",
        "source: photos\ntarget: out\nmanifest: state/of this.sqlite\n",
        "source: photos\ntarget: &out out\nmanifest: *out\n",
    ],
)
def test_a_config_is_new_until_its_manifest_is_there(places: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    config = tmp_path / "in/thumbs.yaml"
    config.write_text(places + RENDITIONS)
    source = config.parent / "photos"
    assert peek(config) == Peek(is_new=True, sources=(source,))
    manifest = load(config).manifest
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.touch()
    assert peek(config) == Peek(is_new=False, sources=(source,))


def test_all_sources_are_seen(tmp_path: Path) -> None:
    config = tmp_path / "thumbs.yaml"
    config.write_text("sources: [{path: a, prefix: a}, {path: b, prefix: b}, c]\ntarget: out\n" + RENDITIONS)
    assert peek(config).sources == (tmp_path / "a", tmp_path / "b", tmp_path / "c")


@pytest.mark.parametrize(
    ("workers", "processes"), [("{processes: 3}", 3), ("{processes: auto}", None), ("{threads: 2}", None)]
)
def test_processes_are_seen_where_they_are_a_number(workers: str, processes: int | None, tmp_path: Path) -> None:
    config = tmp_path / "thumbs.yaml"
    config.write_text(f"source: photos\ntarget: out\nworkers: {workers}\n{RENDITIONS}")
    assert peek(config) == Peek(is_new=True, processes=processes, sources=(tmp_path / "photos",))


@pytest.mark.parametrize(
    "content", [b"", b"# nothing\n", b"[1, 2]\n", b"target: [a]\n", b"target: {path: 3}\n", b"a: b: c\n", b"\xff\xfe\n"]
)
def test_what_is_no_config_is_left_to_those_who_check_it(content: bytes, tmp_path: Path) -> None:
    config = tmp_path / "thumbs.yaml"
    assert peek(config) == Peek()
    config.write_bytes(content)
    assert peek(config) == Peek()


def test_where_workers_of_an_executor_render_nothing_is_started_here(tmp_path: Path) -> None:
    config = tmp_path / "thumbs.yaml"
    config.write_text("source: photos\ntarget: out\nexecutor: {dask: local}\n" + RENDITIONS)
    assert peek(config).elsewhere
