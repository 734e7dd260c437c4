"""What a run needs of the engine that has its workers: which there are, and an executor for each."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Seen:
    """A worker as the engine sees it. Its lane may use `cpus` CPUs."""

    name: str  # for messages
    host: str
    cpus: int
    memory: int | None  # bytes that the engine gives it; None: no limit
    heard: float  # changes with each of its signs of life


class WorkerPool(AbstractContextManager["WorkerPool"], Protocol):
    """An engine's workers. Leaving it as a context manager ends what entering it has started. The driver's thread."""

    def workers(self) -> Mapping[str, Seen]:
        """The workers there are, by address, as of a second ago. Raises `PipelineError` once the engine is gone."""
        ...

    def executor(self, worker: str) -> Executor:
        """Calls functions on the worker of this address only, each once, at once and at the same time as the others.

        A future whose worker dies may never be done: then it is cancelled.
        """
        ...
