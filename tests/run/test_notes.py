"""What a run says once of where it works."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec

import pytest

from tests.world import World

_find_spec = importlib.util.find_spec


def _without_libvips(name: str, package: str | None = None) -> ModuleSpec | None:
    return None if name == "pyvips" else _find_spec(name, package)


def test_that_the_quicker_resampler_is_missing_is_said_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", _without_libvips)
    world.fill(1)
    (said,) = world.run().warnings
    assert said.startswith("photographs take about twice as long without libvips, and colour of 16 bits is read at 8; ")
    assert world.run().warnings == ()


def test_a_config_that_chose_its_resampler_is_told_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", _without_libvips)
    world.configure(world.text + "resampler: pillow\n")
    world.fill(1)
    assert world.run().warnings == ()
