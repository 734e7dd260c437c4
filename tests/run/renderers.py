"""Renderers that misbehave as their environment says, for tests of what a run makes of it. Children import this."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Iterator

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.rendering import RenderTask
from pipeline.render.line import render
from pipeline.workers.exchange import Held, Reply

_MARK = os.open(os.environ["MARK"], os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)  # now: later it can open nothing


def misbehaving(held: Held, task: RenderTask) -> Iterator[Reply]:
    """Renders, but does what MISCHIEF says to the picture whose content has the hash VICTIM: once, or always."""
    content = os.pread(held.descriptor, held.size, 0)
    is_victim = hashlib.sha256(content).hexdigest() == os.environ["VICTIM"]
    if is_victim and ("always" in os.environ["MISCHIEF"] or os.fstat(_MARK).st_size == 0):
        os.write(_MARK, b"x")
        if "chatter" in os.environ["MISCHIEF"]:
            os.write(2, b"libfoo warning: bar\n")
        if "refuse" in os.environ["MISCHIEF"]:
            raise PictureError(ErrorKind.DAMAGED, "as asked")
        if "kill" in os.environ["MISCHIEF"]:
            os.kill(os.getpid(), signal.SIGKILL)
        if "abort" in os.environ["MISCHIEF"]:
            os.abort()
        if "hang" in os.environ["MISCHIEF"]:
            os.kill(os.getpid(), signal.SIGSTOP)
        if "spin" in os.environ["MISCHIEF"]:
            while True:
                pass
    yield from render(held, task)
