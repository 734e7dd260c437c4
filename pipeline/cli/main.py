"""The command line: commands by name, and the one place where an error becomes a message and an exit status."""

from __future__ import annotations

import errno
import gc
import importlib
import os
import sys
import warnings
from contextlib import suppress
from typing import NoReturn

import click

from pipeline import __version__
from pipeline.cli.console import Colour, OutputTrouble, complain
from pipeline.cli.progress import listen
from pipeline.errors import LACKS, ExitStatus, PipelineError

_GARBAGE = 10_000  # new objects before the collector runs: rows come by the thousand and leave no cycles (5 %)
_LACKS = LACKS | {errno.ENOMEM, errno.EROFS, errno.EAGAIN}
_NEVER_MEANT = frozenset({"--adopt", "--delete", "--force", "--prune"})  # they delete, overwrite or render all again
_COMMANDS = (
    "init",
    "run",
    "watch",
    "plan",
    "explain",
    "status",
    "report",
    "compare",
    "verify",
    "failures",
    "prune",
    "manifest",
    "schedule",
    "doctor",
    "tune",
    "schema",
    "help",
    "completion",
)


class _Commands(click.Group):
    """Finds a command in the module of its name, imported on use: `--help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"pipeline.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and name not in _COMMANDS:
            from pipeline.cli.concepts import command_meant

            near = command_meant(name, _COMMANDS)
            hint = f"; did you mean {near!r}?" if near else f"; there are {', '.join(_COMMANDS)}"
            raise click.UsageError(f"no command {name!r}{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="pipeline")
def cli() -> None:
    """The image batch job that you can leave alone.

    A config says what every picture in a folder should become; `pipeline run` makes what is missing or stale.

    Exit status: 0 done or nothing to do; 1 some pictures newly failed; 2 wrong usage or config; 3 could not finish;
    4 out of time; 75 another run is at work; 129, 130, 143 stopped by a signal.
    """


def main() -> NoReturn:
    """Run the command line and end the process. A thread that is blocked in a dead read does not keep it alive."""
    gc.set_threshold(_GARBAGE)
    open_standard_descriptors()
    listen()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # libraries' warnings about pictures that this process renders
    os._exit(_delivered(status_of(sys.argv[1:])))


def _delivered(status: int) -> int:
    """Flush the outputs and give `status`, or `UNFINISHED` for a success whose result cannot be written."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        status = status or ExitStatus.UNFINISHED
    except (OSError, ValueError) as error:
        if not status:
            status = ExitStatus.UNFINISHED
            complain(f"pipeline: {OutputTrouble(error) if isinstance(error, OSError) else error}")
    with suppress(OSError, ValueError):  # the exit status reports a failure without a message, too
        if sys.stderr is not None:
            sys.stderr.flush()
    return status


def status_of(arguments: list[str]) -> int:  # noqa: PLR0911 - one for each way to end
    """Run a command line and give its exit status; errors are reported on standard error. In the main thread."""
    try:
        outcome = cli.main(arguments, prog_name="pipeline", standalone_mode=False)
        return int(outcome or 0)
    except click.exceptions.NoArgsIsHelpError as usage:
        complain(usage.format_message())
        return ExitStatus.USAGE
    except click.UsageError as usage:
        from pipeline.program import to_copy

        where = usage.ctx.command_path if usage.ctx else "pipeline"
        see = to_copy(*where.split()[1:], "--help")
        complain(f"{where}: {_wrong_usage(usage)} (see `{see}`)", Colour.FAILURE)
        return ExitStatus.USAGE
    except click.ClickException as refusal:
        complain(f"pipeline: {refusal.format_message()}", Colour.FAILURE)
        return ExitStatus.USAGE
    except PipelineError as error:
        complain(str(error) if error.status == ExitStatus.USAGE else f"pipeline: {error}", Colour.FAILURE)
        return error.status
    except (click.Abort, KeyboardInterrupt):  # before a run has begun, which then ends in its own words
        complain("pipeline: stopped by Ctrl-C")
        return ExitStatus.INTERRUPTED
    except SystemExit as end:
        return _ended(end)
    except Exception as error:  # noqa: BLE001 - the outermost: a defect is reported with its traceback
        import traceback

        if isinstance(error, OSError) and (trouble := _output_trouble()):  # click's own output, such as --help
            complain(f"pipeline: {trouble}")
            return ExitStatus.UNFINISHED
        if lack := _lack(error):
            complain(f"pipeline: {lack}", Colour.FAILURE)
            return ExitStatus.UNFINISHED
        complain(traceback.format_exc().rstrip())
        complain("pipeline: this is a defect of pipeline; please report it with the lines above", Colour.FAILURE)
        return ExitStatus.UNFINISHED


def _ended(end: SystemExit) -> ExitStatus:
    """The status where click ends the program: 0 after a completion script, `UNFINISHED` where the reader of the output
    closed it early, as `head` does.
    """
    if not end.code:
        return ExitStatus.OK
    _forget_output()
    return ExitStatus.UNFINISHED


def _wrong_usage(usage: click.UsageError) -> str:
    """The message, with a likely option, but never one that deletes or overwrites: a hint is typed in a hurry."""
    if not isinstance(usage, click.NoSuchOption):
        return usage.format_message()
    from pipeline.cli.concepts import meant

    known = [name for parameter in usage.ctx.command.params for name in parameter.opts] if usage.ctx else []
    words = usage.ctx.command_path.split()[1:] if usage.ctx else []
    hint = meant(usage.option_name, [name for name in known if name not in _NEVER_MEANT], words)
    return f"{usage.message} {hint}" if hint else usage.message


def _lack(error: Exception) -> str:
    """The resource that the machine lacked, wherever `error` was raised; "" for any other error."""
    if isinstance(error, MemoryError):
        return "out of memory"
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return "cannot start another thread: too many processes (`ulimit -u`), or no memory (`ulimit -v`, `-d`)"
    if isinstance(error, OSError) and error.errno in _LACKS:
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{where}"
    return ""


def _output_trouble() -> OutputTrouble | None:
    try:
        sys.stdout.flush()
    except OSError as error:
        return OutputTrouble(error)
    return None


def _forget_output() -> None:
    """Point standard output at /dev/null, so that flushing the rest of its buffer cannot fail again."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)


def open_standard_descriptors() -> None:
    """Open those of 0, 1 and 2 that are closed, on /dev/null.

    Otherwise the next file to be opened would get such a number, and a library that writes its warnings to standard
    error would write them into the manifest.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # the lowest that is free
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
