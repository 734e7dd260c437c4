"""`scripts/quality.py --rates`: what is made of the points of encoders."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

pytest.importorskip("pyvips", reason="needs libvips")

from PIL import Image

from scripts.benchmarks import rates
from scripts.benchmarks.installed import Peers

NONE = Peers(None, None, None, None, {})


def test_bytes_are_compared_at_one_score_on_a_logarithmic_scale() -> None:
    ours, theirs = [[(1_000, 70.0), (4_000, 80.0)]], [[(1_000, 65.0), (2_000, 75.0), (8_000, 85.0)]]
    found = rates.at_equal_score({"jpeg": {"pipeline": ours, "other": theirs}, "gif": {"pipeline": ours}})
    assert found == {"jpeg": {"pipeline": 1.0, "other": pytest.approx(1.0)}}


def test_each_of_our_encoders_has_a_point_for_each_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(rates, "SETTINGS", {"jpeg": (60, 80), "png": (16,)})
    picture = Image.merge("RGB", [Image.effect_mandelbrot((48, 32), (-2, -1.5, 1, 1.5), 60)] * 3)
    found = rates.curves([picture, picture], NONE)
    assert list(found["jpeg"]) == ["pipeline", "pipeline, optimize"]
    assert {(len(of_encoder), *map(len, of_encoder)) for of_encoder in found["jpeg"].values()} == {(2, 2, 2)}
    assert found["jpeg"]["pipeline"][0] == found["jpeg"]["pipeline"][1]


def test_the_picture_has_a_panel_for_each_format(tmp_path: Path) -> None:
    points = [[(1_000, 62.0), (4_000, 81.0)]]
    drawn = rates.svg({"jpeg": {"pipeline": points, "sharp": points}, "png": {"pipeline": points}, "avif": {}})
    said = [element.text for element in ET.fromstring(drawn).iter() if element.tag.endswith("text")]
    assert {"JPEG", "PNG of 16 and 256 colours", "sharp"} <= set(said)
    assert "AVIF" not in said
