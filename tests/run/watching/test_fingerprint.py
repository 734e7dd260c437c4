"""When the state of a config's sources counts as another one."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.plan.options import PlanOptions
from pipeline.run.watching.fingerprint import fingerprint
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.fill(4)
    return world


def touch(world: World) -> None:
    os.utime(world.source / "a" / "000.jpg", (1, 1))


def rename(world: World) -> None:
    (world.source / "a" / "000.jpg").rename(world.source / "a" / "0.jpg")


@pytest.mark.parametrize(
    "change",
    [
        lambda world: world.put("new/1.jpg"),
        lambda world: world.put("a/000.jpg", b"another"),
        lambda world: (world.source / "a" / "000.jpg").unlink(),
        rename,
        touch,
        lambda world: world.put("a/000.jpg.yaml", b"skip: true"),
        lambda world: world.configure(world.text + "# a comment\n"),
        lambda world: world.source.rename(world.root / "gone"),
    ],
)
def test_it_is_another_after_a_change(world: World, change: Callable[[World], object]) -> None:
    config = world.config
    before = fingerprint(config)
    assert fingerprint(config) == before
    change(world)
    assert fingerprint(config) != before


def test_what_is_written_by_runs_changes_nothing(world: World) -> None:
    config = replace(
        world.config,
        target=replace(world.config.target, path=world.source / "out"),
        manifest=world.source / "state" / "manifest.sqlite",
        report=world.source / "report.html",
    )
    for name in ("out/1.jpg", "state/manifest.sqlite", "state/manifest.sqlite-wal", "report.html"):
        world.put(name)
    before = fingerprint(config)
    written = ("state/manifest.sqlite", "state/manifest.sqlite-wal", "state/manifest.sqlite.backup", "report.html")
    for name in ("out/1.jpg", "out/2.jpg", *written, ".hidden.jpg", "b/x.jpg.part"):
        world.put(name, b"another")
    assert fingerprint(config) == before


def test_the_same_file_in_another_folder_is_another_state(world: World) -> None:
    before = fingerprint(world.config)
    (world.source / "a" / "000.jpg").rename(world.source / "b" / "000.jpg")
    assert fingerprint(world.config) != before


def test_what_is_written_by_runs_is_never_too_young(world: World) -> None:
    text = f"{world.text}manifest: photos/m.sqlite\nlock: photos/it.lock\n"
    world.configure(text)
    world.run()
    world.configure(text.replace("source: photos", "source: {path: photos, settle: 3600}"))
    assert world.run(plan=PlanOptions(force=True)).pictures.get("deferred") == 4
