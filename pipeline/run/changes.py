"""The list of files that a run makes, replaces and removes, written while it works: for rsync, caches and hooks."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from pipeline.errors import PipelineError, UsageError, printable
from pipeline.folder import FILE_MODE
from pipeline.manifest.values import percent
from pipeline.run.options import Change

_AS_JSON = (".json", ".jsonl")
_JSON = b'{"change": "'  # how a list of changes begins
_LOOKED_AT = 4096  # bytes: as long as a path can be


class ChangesFile:
    """A line of JSON for each change where the name of the file ends in .json or .jsonl, else the path and a NUL byte.

    It is emptied when a run begins and written to while it works: no change is lost by a kill, but the next run may
    list some once more. All methods are for the run's thread.
    """

    def __init__(self, path: Path, targets: Sequence[Path] = (), base_url: str = "") -> None:
        """`base_url`: where the target is published; then addresses take the place of paths, and join them in JSON.

        Raises `UsageError` where the file cannot be written to, is in one of `targets`, or holds something other than
        changes (the option takes the word that follows, be it the config); what it holds stays until the run begins.
        """
        self._path = path
        self._base_url = base_url
        for target in targets:
            if f"{os.path.realpath(path)}/".startswith(f"{os.path.realpath(target).rstrip('/')}/"):
                raise UsageError(
                    f"{printable(str(path))} is in the target, which holds renditions alone: name a file elsewhere for "
                    "--changes"
                )
        self._as_json = path.suffix in _AS_JSON
        try:
            if not _holds_changes(path, as_json=self._as_json):
                raise UsageError(
                    f"{printable(str(path))}: no run has written what is there; name another file for --changes"
                )
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, FILE_MODE)
        except OSError as error:
            raise UsageError(f"cannot write {printable(str(path))}: {error.strerror}") from error

    def begin(self) -> None:
        """Begin a run: drop the changes of an earlier one."""
        with suppress(OSError):  # a pipe
            os.ftruncate(self._descriptor, 0)

    def add(self, change: Change) -> None:
        """Raises `PipelineError` if writing fails, for example on a full disk."""
        line = self._line(change)
        try:
            while line:
                line = line[os.write(self._descriptor, line) :]
        except OSError as error:
            raise PipelineError(f"cannot write {printable(str(self._path))}: {error.strerror}") from error

    def _line(self, change: Change) -> bytes:
        url = self._base_url + percent(change.target) if self._base_url else ""
        if self._as_json:
            return json.dumps(asdict(change) | ({"url": url} if url else {})).encode() + b"\n"
        return (url.encode() or os.fsencode(change.target)) + b"\0"


def _holds_changes(path: Path, *, as_json: bool) -> bool:
    """Whether `path` may be overwritten: there is nothing, changes of an earlier run, or no regular file."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return True
        with open(path, "rb") as file:
            beginning = file.read(_LOOKED_AT)
    except FileNotFoundError:
        return True
    if as_json or not beginning:
        return beginning.startswith(_JSON[: len(beginning)])
    first, ended, _ = beginning.partition(b"\0")
    return bool(ended) and b"." in first  # every target has an extension; text has no NUL
