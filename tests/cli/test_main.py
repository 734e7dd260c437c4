"""What is said of a command line that makes no sense, and where both ways of writing a time are taken."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from pipeline.cli.main import status_of
from pipeline.cli.options import Duration
from pipeline.errors import ExitStatus
from pipeline.program import to_copy


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("run --dry-run c.yaml", "No such option '--dry-run'. `pipeline plan` shows what a run would do"),
        ("run --forse c.yaml", "No such option '--forse'."),
        ("run --prun c.yaml", "No such option '--prun'."),
        ("run --adopted c.yaml", "No such option '--adopted'."),
        ("prune --deleted c.yaml", "No such option '--deleted'."),
        ("prune --forc c.yaml", "No such option '--forc'."),
        ("run --limits 3 c.yaml", "No such option '--limits'. Did you mean '--limit'?"),
    ],
)
def test_an_option_that_deletes_or_forces_is_never_suggested(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(line.split()) == ExitStatus.USAGE
    where = f"pipeline {line.split(maxsplit=1)[0]}"
    see = to_copy(*where.split()[1:], "--help")
    assert capsys.readouterr().err == f"{where}: {said} (see `{see}`)\n"


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("export", "manifest export"),
        ("render", "run"),
        ("clean", "prune"),
        ("statsu", "status"),
        ("retry", "failures retry"),
    ],
)
def test_a_word_of_other_programs_leads_to_the_command(
    word: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of([word]) == ExitStatus.USAGE
    assert f"no command '{word}'; did you mean '{meant}'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("run --with parquet", "It belongs before the command, in a checkout: scripts/pipeline --with parquet run"),
        ("manifest query --with parquet", "scripts/pipeline --with parquet manifest query"),
        ("run --crop", "It is said in the config, for each rendition: `fit: cover` with `width` and `height`"),
        ("run --method 6", "It is said in the config, for each rendition: `effort`"),
        ("run --config it.yaml", "The config is an argument: `pipeline run pipeline.yaml`"),
        ("run -j 4", "How many work at once is --threads N and --processes N"),
        ("init --fo web", "Did you mean '--for'?"),
    ],
)
def test_an_option_of_another_program_is_answered_with_where_it_is_here(
    line: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(line.split()) == ExitStatus.USAGE
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize(("text", "seconds"), [("90", 90.0), ("90s", 90.0), ("1h30m", 5400.0), ("2.5", 2.5)])
def test_options_take_seconds_and_durations(text: str, seconds: float) -> None:
    assert Duration(2, 7200).convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["1", "3h", "soon", "", "nan", "-5"])
def test_what_is_no_duration_within_bounds_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="from 2s to 2h"):
        Duration(2, 7200).convert(text, None, None)


def test_ctrl_c_before_a_run_has_begun_has_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.config.load.peek", interrupted)
    assert status_of(["run", str(tmp_path / "any.yaml")]) == ExitStatus.INTERRUPTED
    assert capsys.readouterr().err.strip() == "pipeline: stopped by Ctrl-C"  # click ends the line of ^C before it
