"""Sends the notices of `notify`: that a run began, and how it ended. No failure here changes how it ended."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from pathlib import Path

from pipeline import atomic
from pipeline.config.settings import NotifySettings
from pipeline.errors import printable
from pipeline.notify import hook
from pipeline.notify.metrics import exposition
from pipeline.notify.outcome import Outcome, as_json, as_text
from pipeline.notify.ping import MOST_TEXT, Ping, UnusableUrl

_PING = 20.0  # seconds that the last ping may take, its tries all together
_SAME = 10  # leading characters that all files of one kind share, whatever version wrote them
_METRICS_MODE = 0o644  # whatever the umask: node_exporter runs as another user


class Notices:
    """One run's notices, used in its main thread."""

    def __init__(self, settings: NotifySettings, folder: Path, url: str | None) -> None:
        """`folder` is the config's; `url` is what the variable `settings.ping` holds."""
        self._settings = settings
        self._folder = folder
        self._ping: Ping | None = None
        self._warnings: list[str] = []
        if settings.ping and not url:
            self._warnings.append(f"notify.ping: the environment variable {settings.ping} is not set")
        elif settings.ping and url:
            try:
                self._ping = Ping(url)
            except UnusableUrl as error:
                self._warnings.append(f"notify.ping: what the environment variable {settings.ping} holds {error}")

    def begun(self, run: str) -> None:
        """Notify that the run has its lock and begins to work. Returns at once."""
        if self._ping:
            self._ping.begin(run)

    def ended(self, outcome: Outcome, patience: float | None = None) -> tuple[str, ...]:
        """Notify how the run ended; gives a line for each notice that failed.

        With `patience` all of them together take at most so many seconds, else each at most its own time-out.
        """
        deadline = None if patience is None else time.monotonic() + patience
        if self._ping:
            text = as_text(outcome, MOST_TEXT)
            self._ping.end(outcome.run, outcome.status, text, succeeded=outcome.succeeded)
        self._warnings += self._write(outcome)
        command = self._settings.command
        if command and hook.wanted(command, outcome):
            seconds = min(command.timeout, _left(deadline, command.timeout))
            self._warnings.append(hook.call(command, self._folder, outcome, seconds))
        if self._ping:
            self._warnings.append(self._ping.wait(_left(deadline, _PING)))
        return tuple(filter(None, self._warnings))

    def _write(self, outcome: Outcome) -> Iterator[str]:
        for key, path, mode, text in (
            ("metrics", self._settings.metrics, _METRICS_MODE, exposition(outcome)),
            ("status_file", self._settings.status_file, None, as_json(outcome) + "\n"),
        ):
            if path is None:
                continue
            try:
                if _is_another(path, text):
                    yield f"notify.{key}: {printable(str(path))}: no run has written what is there; name another place"
                else:
                    atomic.write_text(path, text, mode)
            except OSError as error:
                yield f"notify.{key}: cannot write {printable(str(path))}: {error.strerror or error}"


def _is_another(path: Path, text: str) -> bool:
    """Whether `path` exists and does not begin like `text`: the config may name the wrong file."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return True
        with open(path, encoding="utf-8", errors="replace") as file:
            beginning = file.read(_SAME)
    except FileNotFoundError:
        return False
    return not text.startswith(beginning)


def _left(deadline: float | None, otherwise: float) -> float:
    return otherwise if deadline is None else max(0.5, deadline - time.monotonic())
