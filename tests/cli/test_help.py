"""The manual in one text, the man page, and completion."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.cli.main import cli, status_of
from pipeline.errors import ExitStatus
from tests.world import World

README = Path(__file__).parent.parent.parent / "README.md"
COMMANDS = cli.list_commands(None)  # type: ignore[arg-type]


def said(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert status_of(line.split()) == ExitStatus.OK
    return capsys.readouterr().out


def test_the_help_of_all_commands_is_one_text(capsys: pytest.CaptureFixture[str]) -> None:
    text = said("help", capsys)
    for name in COMMANDS:
        assert f"\nUsage: pipeline {name} " in text
    assert "Usage: pipeline manifest query" in text
    assert said("help status", capsys).count("Usage: ") == 1


def test_the_man_page_has_every_command_and_option(capsys: pytest.CaptureFixture[str]) -> None:
    page = said("help --man", capsys)
    assert page.startswith('.TH PIPELINE 1 ""')
    assert page.count("\n.SS ") > len(COMMANDS)
    assert "\n.B \\-\\-max\\-runtime TIME\n" in page
    assert not re.search(r"^'|^\\.[a-z]", page, re.MULTILINE), "no line of text is taken for a request"


def test_a_shell_is_told_how_to_complete(world: World) -> None:
    world.env = {"COMP_WORDS": "pipeline st", "COMP_CWORD": "1", "_PIPELINE_COMPLETE": "bash_complete"}
    done = world.process()
    assert (done.stdout, done.stderr, done.returncode) == ("plain,status\n", "", 0)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_a_shell_is_to_source_is_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"_PIPELINE_COMPLETE={shell}_complete" in said(f"completion {shell}", capsys)


def test_the_readme_has_every_command() -> None:
    table = README.read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"\n| `{name}" not in table] == []
