"""The fuzzer bends what it says it bends, always the same way; and a short run through real children finds nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from pipeline.model.spec import Format
from pipeline.render.opening.source import opening
from pipeline.workers.exchange import whole
from scripts.fuzzing.mutations import bent
from scripts.fuzzing.seeds import seeds
from tests.pictures import descriptor_of

SEEDS = seeds()


def format_of(content: bytes, *, raw: bool = False) -> str:
    descriptor = descriptor_of(content)
    try:
        with opening(whole(descriptor), raw=raw) as source:
            return source.format
    finally:
        os.close(descriptor)


def test_every_seed_is_a_picture_of_its_own() -> None:
    contents = [content for _name, content in SEEDS]
    assert len(set(contents)) == len(contents)
    assert {name.split()[0] for name, _content in SEEDS} > {format_.name for format_ in Format}
    for name, content in SEEDS:
        kind = name.split()[0]
        assert format_of(content, raw=kind == "raw") == ("JPEG" if kind == "raw" else kind)


@pytest.mark.parametrize("number", range(8))
def test_the_same_number_bends_the_same_way(number: int) -> None:
    others = [content for _name, content in SEEDS]
    for _name, content in SEEDS:
        assert bent(content, others, Random(str(number))) == bent(content, others, Random(str(number)))


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "JP2", "HEIF", "AVIF of 10 bits"])
def test_what_knows_the_structure_reaches_the_decoder(format_: str) -> None:
    """A good part of what was bent is still taken for a picture: its frame was put together again."""
    content = next(content for name, content in SEEDS if name.startswith(format_))
    opened = 0
    for number in range(100):
        try:
            with opening(whole(descriptor_of(bent(content, [content], Random(str(number)))))):
                opened += 1
        except Exception:  # noqa: BLE001 - bent pictures fail in every way
            continue
    assert opened >= 20


def test_a_short_run_finds_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.fuzz", "--minutes", "0.05", "--seed", "3", "--keep", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pictures" in done.stdout
    assert "children are confined by" in done.stdout


def test_a_short_run_of_answers_finds_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.fuzz_answers", "--minutes", "0.02", "--seed", "3"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "believed" in done.stdout
