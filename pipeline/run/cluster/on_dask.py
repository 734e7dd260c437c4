"""Dask's workers for a run: of the scheduler at an address, or of one in this process.

Facts that this is built on (distributed 2024.8 to 2026.8):

- A task costs driver and scheduler 3 ms of CPU each, so it carries several batches, and the outcomes of others.
- What is computed is kept until its last future is dropped, so the driver drops each as it is done.
- A dead worker's tasks are computed again elsewhere, and counted against. So each is for one worker (`workers`,
  `allow_other_workers=False`), which it then waits for in vain, until the driver cancels it. `retries=0`.
- A worker has as many threads as CPUs, and tasks wait for outcomes. So each leaves the pool of threads (`secede`).
- A cluster that adapts starts a worker for tasks only, and there are none before there is a worker. So where there is
  none, a task waits for any.
- The scheduler unpickles what a task is given, pickles it again, and keeps the last thousand messages to a worker. So a
  call is packed into bytes: the scheduler needs no part of this program, and spends a fifth of the time.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import ExitStack, contextmanager, suppress
from types import TracebackType
from typing import Any, Self

import dask.config
import distributed

from pipeline.config.settings import LOCAL, ExecutorSettings
from pipeline.errors import PipelineError
from pipeline.run.cluster.pool import Seen
from pipeline.workers import cpus

_CONNECT = 10.0  # seconds
_LOOK = 1.0  # seconds between two looks at the workers
_UNHEARD = 30.0  # seconds without an answer of the scheduler, after which it is gone
_CALM = {"distributed.worker.profile.enabled": False, "distributed.admin.tick.interval": "500ms"}  # 100 and 50 a second
_LOGGERS = ("distributed", "distributed.client", "tornado.application")  # to which Dask gives levels and streams


class DaskPool:
    """A `WorkerPool`."""

    def __init__(self, settings: ExecutorSettings) -> None:
        self._settings = settings
        self._workers: Mapping[str, Seen] = {}
        self._heard = 0.0
        self._wanted: distributed.Future[int] | None = None  # for any worker: a cluster that adapts starts one
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        """Raises `PipelineError`."""
        with ExitStack() as stack:
            stack.enter_context(_quiet())
            try:
                self._client = stack.enter_context(
                    distributed.Client(self._address(stack), timeout=_CONNECT, set_as_default=False)
                )
            except (OSError, TimeoutError, ValueError) as error:
                raise PipelineError(f"no Dask scheduler answers at {self._settings.dask}: {error}") from error
            self._client.sync(self._look)
            watching = asyncio.run_coroutine_threadsafe(self._watch(), self._client.loop.asyncio_loop)
            stack.callback(watching.cancel)
            self._closing = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    def workers(self) -> Mapping[str, Seen]:
        """See `WorkerPool`."""
        if time.monotonic() - self._heard > _UNHEARD or self._client.status not in ("running", "connecting"):
            raise PipelineError(f"the Dask scheduler at {self._settings.dask} does not answer any more")
        return self._workers

    def executor(self, worker: str) -> Executor:
        """See `WorkerPool`."""
        return _OnWorker(self._client.get_executor(workers=[worker], allow_other_workers=False, pure=False, retries=0))

    def _address(self, stack: ExitStack) -> str:
        if self._settings.dask != LOCAL:
            return self._settings.dask
        there = cpus.available()
        count = self._settings.workers or there
        # In this process, and heard by nobody else: what works is in the processes of lanes, and these only pass it on.
        private = {"protocol": "inproc://", "dashboard": False, "dashboard_address": "127.0.0.1:0"}
        options = {**private, "nthreads": max(1, there // count), "memory_limit": 0, "silence_logs": logging.ERROR}
        with dask.config.set(_CALM):  # each reads it when it is made
            cluster = distributed.SpecCluster(
                scheduler={"cls": distributed.Scheduler, "options": private},
                workers={number: {"cls": distributed.Worker, "options": options} for number in range(count)},
                silence_logs=logging.ERROR,
            )
            stack.enter_context(cluster)
        return str(cluster.scheduler_address)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            with suppress(OSError):  # `workers` says so if it stays so
                await self._look()

    async def _look(self) -> None:
        identity = await self._client.scheduler.identity(n_workers=-1)
        self._workers = {
            address: Seen(
                str(worker["name"]) if worker["name"] != address else address,
                str(worker["host"]),
                int(worker["nthreads"]),
                int(worker["memory_limit"]) or None,
                float(worker["last_seen"]),
            )
            for address, worker in identity["workers"].items()
            if worker["status"] in ("running", "paused")
        }
        self._heard = time.monotonic()
        if self._workers:
            self._wanted = None
        elif self._wanted is None:
            self._wanted = self._client.submit(int, pure=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep off standard error what the engine logs within the block: dozens of tracebacks when its scheduler is gone,
    which `DaskPool.workers` says in one line.
    """
    before = [(logger, logger.level) for logger in map(logging.getLogger, _LOGGERS)]
    for logger, _ in before:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in before:
            logger.setLevel(level)


class _OnWorker(Executor):
    """Dask's executor for one worker, on which every call has a thread of its own."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See `Executor`."""
        packed = zlib.compress(pickle.dumps((function, args, kwargs), protocol=5), level=1)
        return self._executor.submit(pickle.loads, pickle.dumps(_Call(packed)))


class _Call:
    """A call that is made where this is unpickled, and gives its result."""

    def __init__(self, packed: bytes) -> None:
        self._packed = packed

    def __reduce__(self) -> tuple[Callable[[bytes], Any], tuple[bytes]]:
        return _called, (self._packed,)


def _called(packed: bytes) -> Any:
    distributed.secede()
    function, args, kwargs = pickle.loads(zlib.decompress(packed))  # noqa: S301 - the driver's, whom workers trust
    return function(*args, **kwargs)
