"""What README shows is what there is: its examples are run in a copy of the repository, and what comes is compared."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.load import load

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_TIMES = re.compile(r"\d[\d,.]* (?:s|min|pictures a second)\b")
_TOLERANCE = 0.03  # of sizes, which follow from the versions of the encoders; a number of 28 pictures has to be right


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def steps(console: str) -> Iterator[tuple[str, list[str]]]:
    """Each command with the lines that are shown below it."""
    for part in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        yield command, shown


def assert_alike(shown: str, came: str) -> None:
    """The same words, and the same numbers but for times."""
    shown, came = (_TIMES.sub("(a time)", text) for text in (shown, came))
    assert _NUMBER.sub("0", re.sub(" +", " ", came)) == _NUMBER.sub("0", re.sub(" +", " ", shown))
    for one, other in zip(_NUMBER.findall(came), _NUMBER.findall(shown), strict=True):
        number = float(one.replace(",", ""))
        assert number == pytest.approx(float(other.replace(",", "")), rel=_TOLERANCE), (came, shown)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkout whose environment is the one that runs the tests."""
    for name in ("configs", "sample_data"):
        shutil.copytree(ROOT / name, tmp_path / name)
    script = tmp_path / "scripts" / "pipeline"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pipeline "$@"\n')
    script.chmod(0o755)
    return tmp_path


def ran(command: str, folder: Path) -> list[str]:
    """What it says on both its outputs, in the order in which it says it."""
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=100,
    )
    return done.stdout.replace(f"{ROOT}/scripts/", "scripts/").splitlines()  # the module is that of this checkout


@pytest.mark.slow
def test_the_examples_show_what_comes(copy: Path) -> None:
    consoles = examples("console")
    assert len(consoles) == 2
    for console in consoles:
        for command, shown in steps(console):
            if command.startswith("cat "):
                (copy / command.removeprefix("cat ")).write_text("\n".join(shown) + "\n")
            assert_alike("\n".join([command, *shown]), "\n".join([command, *ran(command, copy)]))


def test_the_steps_that_are_shown_can_be_written_so(tmp_path: Path) -> None:
    (example,) = [one for one in examples("yaml") if one.startswith("steps:")]
    for name in ("logo.png", "fonts/sans.ttf"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    text = "source: photos\ntarget: made\nrenditions:\n  web:\n" + textwrap.indent(example, "    ")
    (tmp_path / "it.yaml").write_text(text)
    (spec,) = load(tmp_path / "it.yaml").specs
    assert len(spec.steps) == len(re.findall("^  - ", example, re.MULTILINE))


@pytest.mark.slow
def test_what_pages_are_told_is_what_is_shown(copy: Path) -> None:
    (example,) = map(json.loads, examples("json"))
    ((source, shown),) = example.items()
    (copy / "sample_data" / f"{source}.yaml").write_text(f"alt: {shown['alt']}\n")
    (copy / "it.yaml").write_text(
        f"source: {{path: sample_data, include: [{source}]}}\ntarget: made\nrenditions:\n"
        "  hero: {widths: [320, 640, 1280], formats: [avif, webp, jpeg]}\n"
    )
    assert ran("scripts/pipeline run it.yaml", copy) == []
    ((path, came),) = json.loads(
        "\n".join(ran("scripts/pipeline manifest export it.yaml --format srcset", copy))
    ).items()
    assert path == source
    assert_shown(shown, came)


def assert_shown(shown: Any, came: Any) -> None:
    """All that is shown is there; lists may be cut, and texts end in `...` where they go on."""
    if isinstance(shown, dict):
        assert shown.keys() == came.keys()
        for key, value in shown.items():
            assert_shown(value, came[key])
    elif isinstance(shown, list):
        for one, other in zip(shown, came, strict=False):
            assert_shown(one, other)
    elif isinstance(shown, str) and shown.endswith("..."):
        assert came.startswith(shown.removesuffix("..."))
    else:
        assert came == (pytest.approx(shown, rel=_TOLERANCE) if isinstance(shown, int) else shown)
