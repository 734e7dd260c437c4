"""What README and docs/ show is what there is.

Their examples are run in a copy of the repository, and what comes is compared: a block marked `console` is a session,
one marked `yaml` is a config or a part of one. Every command that they name is known, with the options that they name.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from pipeline.cli.main import cli, status_of
from pipeline.config.load import load
from pipeline.errors import ExitStatus
from tests.world import jpeg

ROOT = Path(__file__).parent.parent
PAGES = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")))}

NONE = click.Context(cli)

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_TIMES = re.compile(r"\d[\d,.]* (?:s a picture|s|min|pictures a second)\b")
_TOLERANCE = 0.03  # of sizes, which follow from the versions of the encoders; a number of 28 pictures has to be right


def examples(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGES[page], re.MULTILINE | re.DOTALL)


def pages_with(language: str) -> list[str]:
    return [page for page in PAGES if examples(page, language)]


def steps(console: str) -> Iterator[tuple[str, list[str]]]:
    """Each command with the lines that are shown below it."""
    for part in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        yield command, shown


def assert_alike(shown: str, came: str) -> None:
    """The same words, and the same numbers but for times."""
    shown, came = (_TIMES.sub("(a time)", text) for text in (shown, came))
    assert _NUMBER.sub("0", re.sub(" +", " ", came)) == _NUMBER.sub("0", re.sub(" +", " ", shown))
    for text, other in zip(_NUMBER.findall(came), _NUMBER.findall(shown), strict=True):
        number = float(text.replace(",", ""))
        assert number == pytest.approx(float(other.replace(",", "")), rel=_TOLERANCE), (came, shown)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkout whose environment is the one that runs the tests."""
    for name in ("configs", "sample_data"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for config in tmp_path.glob("configs/*.yaml"):  # every copy has changed just now
        config.write_text(re.sub(r"\bsettle: \d+", "settle: 0", config.read_text(encoding="utf-8")), encoding="utf-8")
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
@pytest.mark.parametrize("page", [page for page in pages_with("console") if page != "datasets.md"])
def test_the_examples_show_what_comes(page: str, copy: Path) -> None:
    assert_shows_what_comes(page, copy)


def assert_shows_what_comes(page: str, copy: Path) -> None:
    for console in examples(page, "console"):
        for command, shown in steps(console):
            if command.startswith("cat "):
                (copy / command.removeprefix("cat ")).write_text("\n".join(shown) + "\n")
            assert_alike("\n".join([command, *shown]), "\n".join([command, *ran(command, copy)]))


@pytest.mark.slow
def test_the_recipes_of_the_readme_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "photos" / name).write_bytes(jpeg(size=(16, 12)))
    monkeypatch.chdir(tmp_path)
    recipes = [example for example in examples("README.md", "sh") if "scripts/test" not in example]
    assert len(recipes) == 3
    for line in "".join(recipes).splitlines():
        program, *words = shlex.split(line)
        assert (program, status_of(words)) == ("scripts/pipeline", ExitStatus.OK)
    assert (tmp_path / "public/index.html").read_text().count("<picture ") == 2
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 4


@pytest.mark.slow
def test_the_examples_of_data_sets_run(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In Python those whose libraries are installed; none of them belongs to this program."""
    assert_shows_what_comes("datasets.md", copy)
    monkeypatch.chdir(copy)
    for example in examples("datasets.md", "python"):
        if all(importlib.util.find_spec(name) for name in re.findall(r"^import (\w+)", example, re.MULTILINE)):
            exec(example, {})
    metadata = [json.loads(line) for line in (copy / "build/dataset/train-224/metadata.jsonl").read_text().splitlines()]
    assert all((copy / "build/dataset/train-224" / row["file_name"]).exists() for row in metadata)
    with tarfile.open(copy / "train-000000.tar") as shard:
        assert len(shard.getnames()) == len(metadata) == 28


@pytest.mark.parametrize("page", pages_with("yaml"))
def test_configs_and_parts_of_them_are_right(page: str, tmp_path: Path) -> None:
    for name in ("logo.png", "fonts/sans.ttf"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    for shown in examples(page, "yaml"):
        parts = {"source": "source: photos\n", "target": "target: made\n", "renditions": "renditions:\n  web:\n"}
        own = parts.pop("renditions") + textwrap.indent(shown, "    ") if shown.startswith("steps:") else shown
        missing = [part for key, part in parts.items() if not re.search(rf"^{key}s?:", own, re.MULTILINE)]
        (tmp_path / "it.yaml").write_text("".join(missing).replace("web:\n", "web: {}\n") + own)
        assert load(tmp_path / "it.yaml").specs


def commands_named(text: str) -> Iterator[list[str]]:
    """The words behind `pipeline`, wherever code says it."""
    for block in re.findall(r"^```(?:console|sh)?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for command in re.split(r"\n|&&|[|>]", block):
            if named := re.match(r" *(?:\$ )?(?:\S*/)?pipeline (.*)", command):
                yield named[1].split()
    for span in re.findall(r"(?<!`)`(?:scripts/)?pipeline ([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        yield span.split()
    for row in re.findall(r"^\| `(\w.*)$", text, re.MULTILINE) if "| command |" in text else ():
        yield re.sub(r"[`,;()=\[]", " ", row).split()


def unknown(words: list[str]) -> Iterator[str]:
    """Those of the words of a command line that are neither commands nor options of theirs."""
    command: click.Command = cli
    options = {"--help", "--version", "--with"}  # the last is scripts/pipeline's own
    for word in words:
        inner = command.get_command(NONE, word) if isinstance(command, click.Group) else None
        if inner is not None:
            command = inner
            parts = getattr(command, "commands", {}).values()
            options |= {name for part in (command, *parts) for option in part.params for name in option.opts}
        elif word.startswith("-") and word.split("=")[0] not in options:
            yield f"{command.name} {word}"


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_options_that_a_page_names_are_there(page: str) -> None:
    named = list(commands_named(PAGES[page]))
    assert [word for words in named for word in unknown(words)] == []
    known = set(cli.list_commands(NONE))
    assert [words for words in named if not known & set(words) and not {"--help", "--version"} & set(words)] == []


@pytest.mark.slow
def test_what_pages_are_told_is_what_is_shown(copy: Path) -> None:
    (example,) = map(json.loads, examples("families.md", "json"))
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
        for line, other in zip(shown, came, strict=False):
            assert_shown(line, other)
    elif isinstance(shown, str) and shown.endswith("..."):
        assert came.startswith(shown.removesuffix("..."))
    else:
        assert came == (pytest.approx(shown, rel=_TOLERANCE) if isinstance(shown, int) else shown)


def test_the_readme_is_short_and_its_pictures_ask_for_nothing() -> None:
    assert len(PAGES["README.md"].splitlines()) <= 150
    for drawn in ROOT.glob("docs/*.svg"):
        addresses = re.findall(r"(?:href|src|url)\W*(\w+:[^\"')]*)", drawn.read_text(encoding="utf-8"))
        assert addresses == [], drawn.name
