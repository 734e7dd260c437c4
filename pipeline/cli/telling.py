"""Sends the notices that the config names when a run has ended, in whatever way."""

from __future__ import annotations

import os
import time
from types import TracebackType

import click

from pipeline.cli.console import Colour, complain
from pipeline.cli.summary import failure_lines, sentence
from pipeline.config.settings import Config
from pipeline.errors import SIGNALS, ExitStatus, Locked, PipelineError, printable
from pipeline.manifest.runs import KEEP
from pipeline.manifest.store import Manifest
from pipeline.notify.notices import Notices
from pipeline.notify.outcome import SUCCESSES, Outcome
from pipeline.run.options import Begun
from pipeline.run.tally import Summary

_HURRY = 2.0  # seconds for all notices of a run that was stopped: it has to end within ten


class Telling:
    """A context around all of a run command.

    The URL to ping is taken out of the environment here: neither the children nor the command of `notify` need it.
    Where another run holds the lock, no notice is sent: the other run sends its own.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._name = printable(config.path.stem)
        self._started = time.time()
        self._begun: Begun | None = None
        self._summary: Summary | None = None
        self._last_success: float | None = None
        url = os.environ.pop(config.notify.ping, None) if config.notify.ping else None
        self._notices = Notices(config.notify, config.path.parent, url)

    def begun(self, begun: Begun) -> None:
        """Send the notice that the run begins to work."""
        self._begun = begun
        self._notices.begun(begun.run)
        self._last_success = self._read_last_success()  # now: at the end the manifest's disk may hang

    def came_to(self, summary: Summary) -> None:
        """Keep the summary of the ended run: what the command does after it may still fail."""
        self._summary = summary

    def __enter__(self) -> Telling:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Locked) or (error is None and self._summary is None):
            return
        if not self._begun:
            self._last_success = self._read_last_success()
        summary = self._so_far()
        if error is None:
            self._tell(summary, summary.status, sentence(self._config.path, summary))
        else:
            self._tell(summary, _status(error), f"{self._name}: {_words(error)}")

    def given_up(self, status: ExitStatus) -> None:
        """Send the notices from another thread: the run's own is in a call that never returns. The process will end."""
        self._tell(self._so_far(), status, f"{self._name}: stopped by a signal, and given up where it hung")

    def _so_far(self) -> Summary:
        return self._summary or (self._begun.so_far() if self._begun else Summary())

    def _tell(self, summary: Summary, status: ExitStatus, text: str) -> None:
        hurry = _HURRY if status in SIGNALS else None
        for warning in self._notices.ended(self._outcome(summary, status, text), hurry):
            complain(f"pipeline: {warning}", Colour.WARNING)

    def _outcome(self, summary: Summary, status: ExitStatus, text: str) -> Outcome:
        return Outcome(
            config=printable(str(self._config.path)),
            name=self._name,
            run=self._begun.run if self._begun else "",
            status=status,
            started=self._started,
            ended=(ended := time.time()),
            sentence=text,
            failures=tuple(failure_lines(self._config.path, summary, len(summary.failures))),
            pictures=summary.pictures,
            renditions=summary.renditions,
            errors=summary.errors,
            remarks=summary.remarks,
            orphans=summary.orphans,
            source_bytes=summary.source_bytes,
            target_bytes=summary.target_bytes,
            last_success=ended if status in SUCCESSES else self._last_success,
        )

    def _read_last_success(self) -> float | None:
        """When the last successful run ended, if the manifest can be read and still holds that run."""
        if not (self._config.notify.metrics or self._config.notify.status_file or self._config.notify.command):
            return None
        try:
            with Manifest.reader_at(self._config.manifest, shared=self._config.shared) as reader:
                ends = [run.ended for run in reader.runs(KEEP) if run.status in SUCCESSES]
        except PipelineError:
            return None
        return ends[0] if ends else None


def _status(error: BaseException) -> ExitStatus:
    if isinstance(error, PipelineError):
        return error.status
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return ExitStatus.INTERRUPTED
    return ExitStatus.USAGE if isinstance(error, click.ClickException) else ExitStatus.UNFINISHED


def _words(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return "interrupted"
    if isinstance(error, PipelineError):
        return f"could not finish: {printable(str(error))}"
    return f"could not finish: {type(error).__name__}: {printable(str(error))}"
