"""`pipeline schedule`: a crontab line and systemd units that run a config."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.console import complain, on_terminal, tell
from pipeline.cli.options import config_argument
from pipeline.cli.timing import EVERY

if TYPE_CHECKING:
    from pipeline.cli.systemd import Units
    from pipeline.config.settings import Config

_LATER = "05:30"  # a file that a run replaces while it is read could look damaged


@click.command("schedule")
@config_argument
@click.option(
    "--watch",
    is_flag=True,
    help="A service of systemd that runs `pipeline watch` all the time, in place of a schedule.",
)
@click.option(
    "--verify",
    "verifies",
    is_flag=True,
    help="In place of runs: `pipeline verify --sources`, which finds files that have rotted.",
)
@click.option(
    "--at",
    metavar="TIME",
    help="HH:MM by the local clock, or :MM with --every hour.  [default: 02:30; --verify: 05:30]",
)
@click.option("--every", type=click.Choice(EVERY, case_sensitive=False), help="[default: day; --verify: month]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["cron", "systemd", "both"]),
    default="both",
    help="For whom.  [default: both]",
)
@click.option("--user", metavar="NAME", help="Who the service runs as.  [default: you, unless you are root]")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write the units into this folder, which is made if it is missing, instead of printing them.",
)
def command(
    config: Path,
    watch: bool,
    verifies: bool,
    at: str | None,
    every: str | None,
    form: str,
    user: str | None,
    output: Path | None,
) -> None:
    """Print what makes cron or systemd run CONFIG: a line for a crontab, a service and its timer.

    Nothing is installed. No lock is needed around it: a second run at the same time ends by itself, with status 75.
    """
    from pipeline.cli import crontab, systemd
    from pipeline.cli.timing import timing
    from pipeline.config.load import load
    from pipeline.program import program, to_copy

    settings = load(config)
    what = "verify" if verifies else "watch" if watch else "run"
    words = (*program(), what, *(["--sources"] if verifies else []), str(settings.path))
    _check(settings, words, user)
    if watch and verifies:
        raise click.UsageError("--watch and --verify are two services; print each by itself")
    if watch and (at is not None or every is not None or form == "cron"):
        raise click.UsageError("--watch is a service that is always at work: it has no --at, --every or crontab line")
    every = (every or ("month" if verifies else "day")).lower()
    when = None if watch else timing(at or (_LATER if verifies and every != "hour" else None), every)
    name = systemd.unit_name(settings.path).removeprefix("pipeline-") + (", verify" if verifies else "")
    if output is not None and form == "cron":
        raise click.UsageError("--output writes units of systemd; a crontab is edited with `crontab -e`")
    if output is None and form != "systemd" and when is not None:
        tell(crontab.text(name, words, when, None if verifies else settings.notify.ping).rstrip())
    if output is None and form == "both" and when is not None:
        tell("")
    if form != "cron":
        made = systemd.units(settings, what, words, when, user or _me())
        _write(made, output) if output else _print(made)
    if on_terminal():
        complain(f"more: {to_copy('help', 'schedule')}, docs/operations.md, and for pages after each run docs/web.md")
        if not verifies:
            complain(f"files rot on disks: {to_copy('schedule', str(config), '--verify')} has them read once a month")
    if settings.target.path is not None and not settings.target.path.is_dir():
        complain(f"run it once by hand first: the target {settings.target.path} is not there yet")


def _check(settings: Config, words: tuple[str, ...], user: str | None) -> None:
    """Refuse what neither a crontab nor a unit can hold."""
    from pipeline.errors import UsageError, printable

    for text in (
        *words,
        *(source.place for source in settings.sources),
        settings.target.place,
        str(settings.manifest),
    ):
        if not text.isprintable():
            raise UsageError(f"{printable(text)}: no schedule can hold such a name; rename it")
    if user is not None and not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", user):
        raise UsageError(f"--user {printable(user)}: this is no name of a user")


def _me() -> str | None:
    """The calling user; None for root, because a run needs no rights but to files."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name if os.getuid() else None
    except KeyError:  # a container's user without a name
        return str(os.getuid())


def _print(made: Units) -> None:
    for name, text in made.files.items():
        tell(f"# /etc/systemd/system/{name}\n{text}")
    tell(f"# then: systemctl daemon-reload && systemctl enable --now {made.enabled}")


def _write(made: Units, folder: Path) -> None:
    from pipeline.atomic import write_text

    place = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in made.files.items():
            place = folder / name
            write_text(place, text, 0o644)
    except OSError as error:
        raise click.ClickException(f"cannot write {place}: {error.strerror}") from None
    complain(f"wrote {' and '.join(made.files)} to {folder}; in /etc/systemd/system, then:")
    complain(f"systemctl daemon-reload && systemctl enable --now {made.enabled}")
