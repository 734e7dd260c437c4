"""`scripts/make_figures.py`: the screen that is drawn is the one that there was."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts import make_figures


def test_a_terminal_is_drawn_as_it_was_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_figures, "SESSION", ("printf 'a bar\\rthe end\\n'", "printf '\\033[31mred\\033[0m <&>'"))
    make_figures.terminal(tmp_path / "it.svg")
    drawn = ElementTree.parse(tmp_path / "it.svg")
    lines = [
        "".join(text.itertext()).replace("\xa0", " ").strip() for text in drawn.iter() if text.tag.endswith("}text")
    ]
    shown = " ".join(line for line in lines if line)
    assert "$ printf" in shown
    assert "the end" in shown
    assert "red <&>" in shown
    assert "\r" not in shown
