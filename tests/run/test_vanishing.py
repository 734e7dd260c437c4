"""A source that disappears in the middle of a run is no success; a few deleted pictures are."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.errors import ExitStatus, SourceTrouble
from pipeline.model.source import Stat
from pipeline.model.spec import Limits
from pipeline.run.trouble import vanishing
from pipeline.sources.local import LocalSource
from pipeline.sources.source import Picture
from tests.world import World


def at_the_first_read(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    really = LocalSource.read
    left = [happens]

    def read(self: LocalSource, source: str, stat: Stat, limits: Limits) -> Picture:
        if left:
            left.pop()()
        return really(self, source, stat, limits)

    monkeypatch.setattr(LocalSource, "read", read)


def all_is_made_when_it_is_back(world: World, pictures: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    summary = world.run()
    assert (summary.status, summary.orphans, len(world.tree())) == (ExitStatus.OK, 0, pictures)


def test_a_source_that_is_gone_at_the_end_is_trouble(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fill(6)
    aside = world.root / "aside"
    shutil.copytree(world.source, aside)
    at_the_first_read(monkeypatch, lambda: shutil.rmtree(world.source))
    with pytest.raises(SourceTrouble, match="photos has gone: No such file or directory"):
        world.run(threads=1)
    assert world.tree() == {}
    aside.rename(world.source)
    all_is_made_when_it_is_back(world, 6, monkeypatch)


@pytest.fixture
def covered(world: World) -> Iterator[Callable[[], None]]:
    """Mounts an empty disk over the source."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a small disk")
    mounted: list[Path] = []

    def cover() -> None:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(world.source)], check=True)
        mounted.append(world.source)

    yield cover
    for path in mounted:
        subprocess.run(["umount", "--lazy", str(path)], check=False)


def test_another_disk_in_its_place_is_trouble(
    world: World, covered: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.fill(6)
    at_the_first_read(monkeypatch, covered)
    with pytest.raises(SourceTrouble, match="another disk is in its place"):
        world.run(threads=1)
    subprocess.run(["umount", str(world.source)], check=True)
    all_is_made_when_it_is_back(world, 6, monkeypatch)


def test_a_source_of_which_much_vanishes_is_trouble(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fill(60)
    aside = world.root / "aside"
    shutil.copytree(world.source / "b", aside)
    at_the_first_read(monkeypatch, lambda: shutil.rmtree(world.source / "b"))
    with pytest.raises(
        SourceTrouble, match="20 of 60 pictures vanished from the source .*photos after they were listed"
    ):
        world.run(threads=1)
    shutil.copytree(aside, world.source / "b")
    all_is_made_when_it_is_back(world, 60, monkeypatch)


def test_a_few_deleted_pictures_are_harmless(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fill(6)
    at_the_first_read(monkeypatch, lambda: shutil.rmtree(world.source / "b"))
    summary = world.run(threads=1)
    assert (summary.status, summary.pictures) == (ExitStatus.OK, {"done": 4, "vanished": 2})


@pytest.mark.parametrize(
    ("vanished", "dealt_with", "much"),
    [(1244, 1260, True), (20, 99, True), (20, 100, False), (19, 19, False), (0, 0, False), (300, 10000, False)],
)
def test_much_is_twenty_pictures_and_a_fifth(vanished: int, dealt_with: int, much: bool) -> None:
    assert bool(vanishing("/photos", vanished, dealt_with)) is much
