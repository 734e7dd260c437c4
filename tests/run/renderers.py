"""Renderers that misbehave as their environment says, for tests of what a run makes of it. Children import this."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from pipeline.model import RenderTask
from pipeline.render.line import render
from pipeline.workers.exchange import Reply


def misbehaving(descriptor: int, task: RenderTask) -> Iterator[Reply]:
    """Renders, but does what MISCHIEF says to the picture whose content has the hash VICTIM: once, or always."""
    content = os.pread(descriptor, 2**24, 0)
    if hashlib.sha256(content).hexdigest() == os.environ["VICTIM"]:
        mark = Path(os.environ["MARK"])
        if "always" in os.environ["MISCHIEF"] or not mark.exists():
            mark.touch()
            if "kill" in os.environ["MISCHIEF"]:
                os.kill(os.getpid(), signal.SIGKILL)
            if "abort" in os.environ["MISCHIEF"]:
                os.abort()
            if "hang" in os.environ["MISCHIEF"]:
                os.kill(os.getpid(), signal.SIGSTOP)
            if "spin" in os.environ["MISCHIEF"]:
                while True:
                    pass
    yield from render(descriptor, task)
