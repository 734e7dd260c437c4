"""`pipeline help`: the help of all commands, in one text or as a man page."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from pipeline.cli.console import tell


@click.command("help")
@click.argument("name", metavar="[COMMAND]", required=False)
@click.option("--man", is_flag=True, help="As a man page: pipeline help --man > ~/.local/share/man/man1/pipeline.1")
@click.pass_context
def command(context: click.Context, name: str | None, man: bool) -> None:
    """Print the help of COMMAND, or of all commands one after the other."""
    root = context.find_root()
    if name is not None and man:
        raise click.UsageError("the man page is one of all commands: leave COMMAND out")
    every = list(_commands(root))
    chosen = [context for context in every if name is None or context.command_path.split()[1:2] == [name]]
    if not chosen:
        raise click.UsageError(
            f"no command {name!r}; there are {', '.join(context.info_name or '' for context in every)}"
        )
    if man:
        tell("\n".join(_page(root, every)))
    elif name is None:
        tell("\n\n".join(context.get_help() for context in (root, *every)))
    else:
        tell("\n\n".join(context.get_help() for context in chosen))


def _commands(above: click.Context) -> Iterator[click.Context]:
    """A context for each command that can be called, in the order of `--help`."""
    group = above.command
    if not isinstance(group, click.Group):
        return
    for name in group.list_commands(above):
        command = group.get_command(above, name)
        if command is not None and not command.hidden:
            context = click.Context(command, parent=above, info_name=name, max_content_width=above.max_content_width)
            yield context
            yield from _commands(context)


def _page(root: click.Context, every: list[click.Context]) -> Iterator[str]:
    """The lines of a man page."""
    from pipeline import __version__

    about = _paragraphs(root.command)
    yield f'.TH PIPELINE 1 "" "pipeline {__version__}"'
    yield from (".SH NAME", f"pipeline \\- {_roff(about[0].rstrip('.'))}")
    yield from (".SH SYNOPSIS", ".B pipeline", "COMMAND [OPTIONS] [ARGS]...", ".SH DESCRIPTION")
    yield from _set(about[1:])
    yield ".SH COMMANDS"
    for context in every:
        yield f'.SS "{_roff(" ".join((context.command_path, *context.command.collect_usage_pieces(context))))}"'
        yield from _set(_paragraphs(context.command))
        for parameter in context.command.get_params(context):
            record = parameter.get_help_record(context)
            if record and record[1]:
                yield from (".TP", f".B {_roff(record[0])}", _roff(record[1]))


def _paragraphs(command: click.Command) -> list[str]:
    return (command.help or "").split("\n\n")


def _set(paragraphs: list[str]) -> Iterator[str]:
    for paragraph in paragraphs:
        if paragraph.startswith("\b"):
            yield from (".nf", *map(_roff, paragraph.splitlines()[1:]), ".fi")
        else:
            yield from (".PP", _roff(" ".join(paragraph.split())))


def _roff(text: str) -> str:
    """`text`, escaped so that troff prints it unchanged."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return re.sub(r"^(['.])", r"\\&\1", escaped)
