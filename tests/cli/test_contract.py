"""Every command, with every pair of its options: it ends with a documented status and in words."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pytest

from pipeline.cli.main import cli, status_of
from pipeline.errors import ExitStatus
from tests.cli.test_compare import fine
from tests.cli.test_tune import FINE
from tests.world import World, jpeg

Words = tuple[str, ...]

_ARGUMENTS: dict[str, Sequence[Words]] = {  # after the config
    "failures retry": [(), ("*.jpg",)],
    "manifest query": [("status=done",), ("SELECT source FROM pictures",), ()],
}
_VALUES: dict[str, Sequence[str]] = {  # of options that are neither flags nor choices; {folder} is one of its own
    "--at": ["02:30"],
    "--base-url": ["/img/"],
    "--changes-base-url": ["https://example.org/img/"],
    "--changes": ["{folder}/changes.jsonl", "{folder}/changes"],
    "--interval": ["1h"],
    "--lanes": ["0"],
    "--limit": ["1"],
    "--max-runtime": ["60"],
    "--only": ["*.jpg"],
    "--output": ["{folder}/written"],
    "--poll": ["1s"],
    "--processes": ["0"],
    "--quality": ["50,60"],
    "--rendition": ["thumb"],
    "--runs": ["2"],
    "--sample": ["2"],
    "--seconds": ["2"],
    "--seed": ["1"],
    "--settle": ["1s"],
    "--shard": ["1/2"],
    "--sizes": ["50vw"],
    "--source": ["photos"],
    "--target": ["made"],
    "--threads": ["1"],
    "--until": ["23:59"],
    "--user": ["root"],
}
_SLOW = {"run"}
_EXPECTED = {ExitStatus.OK, ExitStatus.FAILED, ExitStatus.USAGE, ExitStatus.TIME_UP}  # nothing here is in trouble


def commands(group: click.Group = cli, path: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in sorted(group.list_commands(context)):  # which are imported when they are asked for
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")
        elif command is not None:
            yield path + name, command


COMMANDS = dict(commands())


def ways(command: click.Command) -> list[list[Words]]:
    """For each option, the ways to give it."""
    choices: list[list[Words]] = []
    for option in command.params:
        if not isinstance(option, click.Option):
            continue
        name = option.opts[0]
        if option.is_flag:
            choices.append([(name,)])
        elif isinstance(option.type, click.Choice):
            choices.append([(name, str(choice)) for choice in option.type.choices])
        else:
            choices.append([(name, value) for value in _VALUES[name]])
    return choices


def lines(name: str) -> Iterator[Words]:
    """The options alone and in pairs, each with every argument."""
    options = ways(COMMANDS[name])
    alone = [(), *itertools.chain.from_iterable(options)]
    pairs = [first + other for these, those in itertools.combinations(options, 2) for first in these for other in those]
    for arguments in _ARGUMENTS.get(name, [()]):
        yield from (words + arguments for words in [*alone, *pairs])


@pytest.fixture
def kept(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A folder that was carried once, with a family, a failure and an orphan."""
    world.configure(
        "source: photos\ntarget: out\nworkers: {processes: 0, threads: 2}\nlimits: {pixels: 1000000}\n"
        "renditions:\n  thumb: {width: 32, height: 32}\n  web: {widths: [16, 24], formats: [jpeg, png]}\n"
    )
    world.put("bad.jpg", jpeg()[:300])
    gone = world.put("gone.jpg")
    world.fill(2)
    world.run()
    gone.unlink()
    monkeypatch.chdir(world.root)
    monkeypatch.setattr("pipeline.run.tune.tuning.tune", lambda *_: FINE)  # measuring takes seconds for each pair
    monkeypatch.setattr("pipeline.run.compare.comparing.compared", fine)  # and so does rendering a sample
    monkeypatch.setattr("pipeline.run.watching.watch.Watch.to_its_end", lambda _self: ExitStatus.OK)  # never ends
    return world


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in _SLOW)) for name in COMMANDS])
def test_every_pair_of_options_ends_with_a_documented_status_and_in_words(
    kept: World, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    tried = 0
    for number, words in enumerate(lines(name)):
        folder = kept.root / f"{number}"
        folder.mkdir()
        given = tuple(word.format(folder=folder) for word in words)
        config = str(folder / "new.yaml") if name == "init" else str(kept.config_path)
        status = status_of([*name.split(), config, *given])
        for part in kept.target.glob(".pipeline/*.shard-*"):  # other runs are refused until it is merged
            part.unlink()
        said = capsys.readouterr()
        about = (name, *given, status, said.err)
        assert status in _EXPECTED, about
        assert "Traceback" not in said.err + said.out, about
        if status == ExitStatus.USAGE:
            assert said.err.count("\n") == 1, about
            assert not said.out, about
        elif "--json" in given:
            assert [json.loads(line) for line in said.out.splitlines()] or not said.out, about
        tried += 1
    assert tried >= len(ways(COMMANDS[name]))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_tried(name: str) -> None:
    assert all(ways(COMMANDS[name])), "an option needs values in `_VALUES`"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_config_that_is_not_there_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    if name == "init":
        return
    words = next(iter(_ARGUMENTS.get(name, [()])))
    assert status_of([*name.split(), str(tmp_path / "none.yaml"), *words]) == ExitStatus.USAGE
    said = capsys.readouterr()
    assert "none.yaml" in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_that_is_not_known_is_said_in_one_line_and_nothing_is_an_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert status_of([*name.split(), "--no-such-option"]) == ExitStatus.USAGE
    said = capsys.readouterr()
    assert "--no-such-option" in said.err
    assert (said.err.count("\n"), said.out) == (1, "")
    assert list(tmp_path.iterdir()) == []
