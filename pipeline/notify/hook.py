"""Runs the program that `notify.command` names after a run."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

from pipeline.config.settings import CommandSettings, On
from pipeline.errors import printable
from pipeline.notify.outcome import Outcome, as_json

_TAIL = 2000  # bytes of its output, whose last line is shown when it fails


def wanted(settings: CommandSettings, outcome: Outcome) -> bool:
    """Whether the program is called after a run with this outcome."""
    return settings.on is On.ALWAYS or (settings.on is On.SUCCESS) == outcome.succeeded


def call(settings: CommandSettings, folder: Path, outcome: Outcome, seconds: float) -> str:
    """Run the program to its end. Gives what went wrong in one line, or "", and never raises for an error of it.

    It starts in `folder`, gets the outcome in `PIPELINE_...` variables and as JSON on its standard input, and leads a
    process group of its own, which is killed after `seconds`.
    """
    try:
        with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as said:
            told.write(as_json(outcome).encode() + b"\n")
            told.seek(0)
            process = subprocess.Popen(  # noqa: S603 - the user's own command from the config
                settings.run,
                cwd=folder,
                env={**os.environb, **_variables(outcome)},
                stdin=told,
                stdout=said,
                stderr=said,
                process_group=0,
            )
            how = _end(process, seconds)
            return f"notify.command: {how}{_last_line(said)}" if how else ""
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return f"notify.command: cannot start {printable(settings.run[0])}: {printable(reason)}"


def _end(process: subprocess.Popen[bytes], seconds: float) -> str:
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        return f"killed after {seconds:g} s"
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"ended with status {code}" if code else ""


def _variables(outcome: Outcome) -> dict[bytes, bytes]:
    texts = {
        "PIPELINE_CONFIG": outcome.config,
        "PIPELINE_NAME": outcome.name,
        "PIPELINE_OUTCOME": "success" if outcome.succeeded else "failure",
        "PIPELINE_RUN": outcome.run,
        "PIPELINE_STATUS": str(int(outcome.status)),
        "PIPELINE_SUMMARY": outcome.sentence,
    }
    return {name.encode(): text.encode(errors="backslashreplace") for name, text in texts.items()}


def _last_line(said: IO[bytes]) -> str:
    end = said.seek(0, os.SEEK_END)
    said.seek(max(0, end - _TAIL))
    lines = [line for line in said.read().decode(errors="replace").splitlines() if line.strip()]
    return f": {printable(lines[-1].strip())[:200]}" if lines else ""
