"""A line for a crontab."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from pipeline.cli.timing import Timing
from pipeline.errors import UsageError

_LONGEST = 990  # characters of a command; Debian's cron cuts behind 999


def line(words: Sequence[str], when: Timing) -> str:
    """The line that runs the command `words` at `when`. Raises `UsageError` where cron would cut the line."""
    command = " ".join(map(shlex.quote, words)).replace("%", r"\%")  # cron makes a new line of a bare %
    if len(command) > _LONGEST:
        raise UsageError("the paths are too long for a crontab; use --format systemd")
    return f"{when.cron} {command}"


def text(name: str, words: Sequence[str], when: Timing, variable: str | None) -> str:
    """The line below comments that explain it. `variable`: the environment variable with the URL to ping."""
    lines = [
        f"# pipeline: {name}, {when.words}. For the table that `crontab -e` opens.",
        "# Nothing is mailed but failures: to MAILTO, else to the owner of the table.",
        "#MAILTO=you@example.org",
    ]
    if variable:
        lines += [f"# The URL that notify.ping needs:\n#{variable}=https://..."]
    return "\n".join([*lines, line(words, when)]) + "\n"
