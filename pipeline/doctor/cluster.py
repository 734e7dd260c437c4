"""Whether the workers of a config's executor are there, and could make the same pictures: each is asked."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError

from pipeline.config.settings import Config
from pipeline.doctor.finding import Finding, fail, ok
from pipeline.errors import PipelineError

_PATIENCE = 30.0  # seconds for each worker, which may have to import the program first


def executor(config: Config) -> Iterator[Finding]:
    """Ask every worker for its versions, and whether it sees source and target. Nothing without an executor."""
    if config.executor is None:
        return
    from pipeline.run.cluster import worker  # noqa: PLC0415 - needs the extra, and imports Pillow
    from pipeline.run.cluster.on_dask import DaskPool  # noqa: PLC0415
    from pipeline.run.cluster.welcome import difference  # noqa: PLC0415

    ours = worker.versions()
    try:
        with DaskPool(config.executor) as pool:
            workers = pool.workers()
            if not workers:
                yield fail("executor", f"no worker at {config.executor.dask}", "start some: `dask worker ADDRESS`")
            asked = {
                seen.name: pool.executor(address).submit(worker.try_out, config.sources, config.target)
                for address, seen in workers.items()
            }
            for name, answer in asked.items():
                what = f"worker {name}"
                try:
                    tried = answer.result(_PATIENCE)
                except (Exception, CancelledError) as error:  # noqa: BLE001 - the engine's, or of another program
                    advice = "install this program and the extra dask where it runs, or start it again"
                    yield fail(what, f"{type(error).__name__}: {error}".rstrip(": "), advice)
                    continue
                if tried.versions != ours:
                    yield fail(what, f"it has {difference(tried.versions, ours)}", "install the same there as here")
                elif tried.trouble:
                    yield fail(what, tried.trouble, "mount source and target there, at the same paths")
                else:
                    yield ok(what, "has the driver's versions, sees the source and can write to the target")
    except PipelineError as error:
        yield fail("executor", str(error), "start it, or let this machine reach it")
