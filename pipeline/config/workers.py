"""The sections `workers` and `executor` of a config: what carries the work."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from pipeline.config.kinds import (
    BYTES,
    LIKE_BYTES,
    Amount,
    Seconds,
    WholeOrAuto,
)
from pipeline.config.section import Json, Section, field_of, rule, wrong
from pipeline.config.settings import (
    LOCAL,
    ExecutorSettings,
    IoNice,
    WorkerSettings,
)
from pipeline.config.texts import (
    SchedulerAddress,
)

_GENTLE = "gentle"  # workers that take only what nobody else wants


class Workers(Section):
    """How many threads and children work at once. Nothing here changes a byte of the renditions."""

    threads: Annotated[int | None, WholeOrAuto(1, 1024)] = field_of(
        WorkerSettings,
        "threads",
        "I/O threads: pictures in flight at once. auto: twice the processes and four, and up to 64 while slow storage "
        "leaves the processes without work.",
    )
    processes: Annotated[int | None, WholeOrAuto(0, 1024)] = field_of(
        WorkerSettings,
        "processes",
        "Children that render. auto: one for each CPU that this process may use (affinity and cgroup quota); from "
        "eight on, runs with much to do divide them among processes that read and write for four each. 0: pictures "
        "are rendered in the I/O threads, with the same bytes and fewer promises: no limit on time and memory, no "
        "blame for a crash, no confinement.",
    )
    queue: Annotated[int, Field(strict=True, ge=1, le=65_536)] = field_of(
        WorkerSettings,
        "queue",
        "Batches of jobs that may wait between the scan and the threads: one picture each, or many cheap ones.",
    )
    memory: Annotated[int | None, Amount(BYTES, LIKE_BYTES, 2**24, 2**50, auto=True)] = field_of(
        WorkerSettings,
        "memory",
        "For all pictures in flight together. auto: 60 % of that of the machine or the control group.",
    )
    nice: Annotated[int, Field(strict=True, ge=0, le=19)] = field_of(
        WorkerSettings, "nice", "How much other programs go first on the CPUs: 19 is only what nobody else wants."
    )
    ionice: IoNice | None = field_of(
        WorkerSettings, "ionice", "The same on the disks: best-effort on its lowest level, or idle. Linux only."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, value: object) -> object:
        if value == _GENTLE:
            return {"nice": 19, "ionice": IoNice.IDLE.value}
        if isinstance(value, dict):
            return value
        raise wrong("must be gentle, or a mapping with keys such as threads", _GENTLE)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        return {"anyOf": [{"const": _GENTLE}, handler.resolve_ref_schema(handler(schema))]}


class Executor(Section):
    """An engine that has workers on other machines, which read and write for the run; see docs/cluster.md."""

    dask: Annotated[str, SchedulerAddress()] = Field(
        description="The address of a Dask scheduler, such as tcp://scheduler:8786; or local: one in the run's own "
        "process, with its workers. Needs the extra dask."
    )
    workers: Annotated[int | None, WholeOrAuto(1, 1024)] = field_of(
        ExecutorSettings, "workers", "How many workers the local one has. auto: one for each CPU."
    )
    wait: Annotated[float, Seconds(1, 366 * 86_400)] = field_of(
        ExecutorSettings,
        "wait",
        "How long a run goes on without any worker, such as 10m; then it ends with status 3, or with 4 where its time "
        "is over before.",
    )

    @model_validator(mode="before")
    @classmethod
    def _is_a_mapping(cls, value: object) -> object:
        if isinstance(value, dict):
            return value
        raise wrong("must be {dask: ADDRESS}, with the address of a Dask scheduler, or {dask: local}")

    @model_validator(mode="after")
    def _has_workers_of_its_own(self) -> Executor:
        if self.workers is not None and self.dask != LOCAL:
            raise rule("workers is for dask: local; the workers of a scheduler are started beside it")
        return self
