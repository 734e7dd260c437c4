"""The config file as pydantic models: what may stand in it. `editors` makes its JSON Schema of them.

Each field is said once: its kind bounds it, its description serves editors, and its default is taken from the dataclass
that the program uses (`model.spec.Spec`, `model.spec.Limits`, `settings`).
"""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, GetJsonSchemaHandler, WrapValidator, field_validator, model_validator
from pydantic_core import CoreSchema

from pipeline.config.formats import check_resampler
from pipeline.config.kinds import (
    BYTES,
    LIKE_BYTES,
    PIXELS,
    Amount,
    Seconds,
    StopAfter,
    TimeOfDay,
    WholeOrAuto,
)
from pipeline.config.rendition import Rendition
from pipeline.config.section import Flag, Json, Section, field_of, noted, noted_of_rules, rule, wrong
from pipeline.config.settings import (
    LOCAL,
    CommandSettings,
    Config,
    Durability,
    ExecutorSettings,
    IoNice,
    Mtime,
    On,
    OnCollision,
    Order,
    TargetSettings,
    Tolerate,
    WorkerSettings,
)
from pipeline.config.source import Folder, PrefixedSource, Source
from pipeline.config.store import KEYS, Place
from pipeline.config.template import FIELDS
from pipeline.config.texts import (
    FileMode,
    Glob,
    LocalPath,
    MetricsPath,
    ObjectHeaders,
    SchedulerAddress,
    StoreUrl,
    TargetName,
    VariableName,
    Words,
)
from pipeline.model.shape import Resampler
from pipeline.model.spec import Limits, Spec

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


class Target(Folder, Place):
    """Where files are written to, and how they are named."""

    path: Annotated[str, LocalPath()] | None = Field(
        default=None,
        description="The folder, relative to this file. It is made if it is missing; inside the source is fine, it is "
        "never an input.",
    )
    url: Annotated[str, StoreUrl()] | None = Field(
        default=None,
        description="In the place of path: a bucket, or a prefix in one, such as s3://bucket/thumbs. Needs manifest.",
    )
    headers: Annotated[dict[str, str], ObjectHeaders()] = Field(
        default_factory=dict,
        description="Of a store: what objects written from now on are stored with: Cache-Control, Content-Disposition, "
        "Content-Language, Storage-Class, and names of metadata. Their type follows from their format.",
    )
    name: Annotated[str, TargetName()] = field_of(
        TargetSettings,
        "name",
        f"How targets are named; ends with an extension. Fields: {' '.join(f'{{{name}}}' for name in FIELDS)}. A "
        "name of more than 255 bytes keeps its first 170 and its last 64 around a hash of all of it.",
    )
    shards: Literal["webdataset"] | None = field_of(
        TargetSettings,
        "shards",
        "Write tar shards (000000.tar ...) of samples instead of files: of each picture its renditions and "
        "a .json, under one key without dots.",
    )
    pictures: Annotated[int, Field(strict=True, ge=1, le=100_000)] = field_of(
        TargetSettings, "pictures", "Of tar shards: the most pictures in one."
    )
    on_collision: OnCollision = field_of(
        TargetSettings,
        "on_collision",
        "When two sources would make one target: both fail, or keep_extension (photo.jpg-thumb.webp) for all. A "
        "picture of a format that is not decoded here (HEIC without the extra) does not make its twin fail.",
    )
    durability: Durability = field_of(
        TargetSettings,
        "durability",
        "sync: safe against power cuts. none: safe against kills only, and faster. Where a file system cannot sync "
        "folders (WSL drives, some CIFS, SMB and FUSE) a run reports it once and goes on.",
    )
    mtime: Mtime = field_of(
        TargetSettings,
        "mtime",
        "The date of files written from now on: written, or source: that of the picture they are made of, of a URL "
        "what its server says.",
    )
    mode: Annotated[int | None, FileMode()] = field_of(
        TargetSettings,
        "mode",
        'The permissions of files written from now on, such as "0640", whatever the umask; left out: as the umask '
        "leaves them.",
    )

    @model_validator(mode="after")
    def _files_or_shards(self) -> Target:
        said = self.model_fields_set
        if self.shards is None and "pictures" in said:
            raise rule("pictures is for tar shards (shards: webdataset)")
        if self.shards is not None and "name" in said:
            raise rule("name is for files: what is in a shard is named by the key of its picture")
        if self.shards is not None and self.mtime is Mtime.SOURCE:
            raise rule("mtime: source is for files: what is in a shard has no date")
        return self

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Target:
        said = self.model_fields_set
        if (self.path is None) == (self.url is None):
            raise rule("must have a path, or the url of a store such as s3://bucket/thumbs, and not both")
        if self.path is not None and (wrong_here := said & {"headers", *KEYS}):
            raise rule(f"{min(wrong_here)} is for a store such as url: s3://bucket/thumbs, and this is none")
        if self.url is not None and (wrong_here := said & {"durability", "mtime", "mode", "shards", "pictures"}):
            raise rule(f"{min(wrong_here)} is for folders, and this is a store")
        return self


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


class PictureLimits(Section):
    """Bounds on one picture. A picture beyond them fails alone."""

    pixels: Annotated[int, Amount(PIXELS, 'a count such as "100 Mpx" or a number of pixels', 1, 10**12)] = field_of(
        Limits, "pixels", "Of all its frames together; refused from the header."
    )
    frames: Annotated[int, Field(strict=True, ge=1, le=10**6)] = field_of(Limits, "frames", "Of an animation.")
    scans: Annotated[int, Field(strict=True, ge=1, le=10**6)] = field_of(Limits, "scans", "Of a progressive JPEG.")
    seconds: Annotated[float, Seconds(0.1, 86_400)] = field_of(
        Limits, "seconds", "CPU seconds; ten times that by the clock."
    )
    read: Annotated[float, Seconds(0.1, 86_400)] = field_of(
        Limits,
        "read",
        "Seconds that reading the source may take; then it is `read timed out`, and its thread is replaced. Ten in a "
        "row, or twice the threads, end the run with status 3.",
    )
    memory: Annotated[int, Amount(BYTES, LIKE_BYTES, 2**24, 2**50)] = field_of(
        Limits, "memory", "That a child may allocate for it."
    )
    file_size: Annotated[int, Amount(BYTES, LIKE_BYTES, 1, 2**50)] = field_of(
        Limits, "file_size", "Of the source file."
    )


class Ping(Section):
    """A service such as healthchecks that raises an alarm when a run does not come."""

    url_env: Annotated[str, VariableName()] = Field(
        description="The environment variable that holds the URL: a secret, so it does not stand here."
    )

    @model_validator(mode="before")
    @classmethod
    def _is_a_mapping(cls, value: object) -> object:
        if isinstance(value, dict):
            return value
        raise rule("must be {url_env: NAME}, the name of an environment variable that holds the URL")


class Command(Section):
    """A program that is called when a run has ended."""

    run: Annotated[list[str], Words()] = Field(
        description="The program and its arguments; no shell. It starts in the folder of this file."
    )
    on: On = field_of(CommandSettings, "on", "After which runs it is called.")
    timeout: Annotated[float, Seconds(0.1, 3600)] = field_of(
        CommandSettings, "timeout", "Seconds it may take; then it is killed."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_words(cls, value: object) -> object:
        if isinstance(value, dict):
            return value
        if isinstance(value, list):
            return {"run": value}
        raise wrong('must be a list such as ["./tell.sh", "1"], or a mapping with the key run')

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        long = handler.resolve_ref_schema(handler(schema))
        return {"anyOf": [long["properties"]["run"], long]}


class Notify(Section):
    """How the end of a run is reported beside its exit status. Nothing here can change that status."""

    ping: Ping | None = Field(default=None, description="A service that is pinged when a run starts and ends.")
    command: Command | None = Field(default=None, description="A program that is called when a run has ended.")
    metrics: Annotated[str, MetricsPath()] | None = Field(
        default=None, description="A file for Prometheus' node_exporter (textfile collector): NAME.prom."
    )
    status_file: Annotated[str, LocalPath()] | None = Field(
        default=None, description="A file that holds how the last run ended, as JSON."
    )


class Failures(Section):
    """When failures end a run."""

    stop_after: Annotated[float | int | None, StopAfter()] = Field(
        default=None,
        description='A share of the pictures tried ("5 %", of twenty at least) or a number: when so many newly failed, '
        "the run stops with status 3 and leaves the rest to the next one. Left out: it never does.",
    )


class Rule(Section):
    """What is made of the pictures whose names match, in the place of what is made of all others."""

    match: list[Annotated[str, Glob()]] = Field(
        min_length=1, description="A glob for names of pictures, or a list of them."
    )
    renditions: dict[
        Annotated[str, Field(pattern=f"^{NAME}$")], Annotated[Rendition, WrapValidator(noted_of_rules)]
    ] = Field(
        description="What differs from the renditions of the config, by name: keys with another value, or without one "
        "for the default; a rendition that is theirs alone; false for one that they do not get."
    )

    @field_validator("match", mode="before")
    @classmethod
    def _from_glob(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        json = handler.resolve_ref_schema(handler(schema))
        match = json["properties"]["match"]
        several = {key: part for key, part in match.items() if key != "description"}
        either = {"anyOf": [match["items"], several], "description": match["description"]}
        return {**json, "properties": {**json["properties"], "match": either}}


class Document(Section):
    """What every picture in a folder should become."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["source"]}, {"required": ["sources"]}]})

    source: Annotated[Source, WrapValidator(noted)] | None = Field(
        default=None, description="Where pictures are read from. Required, unless sources is there."
    )
    sources: Annotated[list[Annotated[PrefixedSource, WrapValidator(noted)]], Field(min_length=1)] | None = Field(
        default=None,
        description="Several folders in the place of source, each with a prefix for the names of its pictures.",
    )
    target: Annotated[Target, WrapValidator(noted)]
    renditions: Annotated[
        dict[Annotated[str, Field(pattern=f"^{NAME}$")], Annotated[Rendition, WrapValidator(noted)]],
        Field(min_length=1, description="What is made of each picture: a name, and what it is to look like."),
    ]
    rules: list[Rule] = Field(
        default_factory=list,
        description="Other renditions for some pictures, by their names. The first rule that matches a picture holds.",
    )
    resampler: Resampler = field_of(Spec, "resampler", "That of all renditions that do not choose their own.")
    order: Order = field_of(
        Config,
        "order",
        "Which pictures come first. auto: by path, and last what only a changed config asks for, so that new pictures "
        "never wait behind it; path; newest: added or changed last; smallest.",
    )
    placeholder: Flag = field_of(
        Config,
        "placeholder",
        "Whether each picture's main colour and ThumbHash are recorded; with widths or formats they always are.",
    )
    workers: Workers = Field(default_factory=Workers)
    executor: Annotated[Executor, WrapValidator(noted)] | None = Field(
        default=None, description="An engine whose workers make the pictures. Left out: this machine does."
    )
    limits: PictureLimits = Field(default_factory=PictureLimits)
    tolerate: Tolerate = Field(
        default=Tolerate.NOTHING,
        description="truncated: of a JPEG or PNG that is cut off, what is there is made, as `done with damage` and "
        "with a warning; else it fails.",
    )
    manifest: Annotated[str, LocalPath()] | None = Field(
        default=None,
        description="The file that records what was made; left out: .pipeline/manifest.sqlite in the target. When it "
        "changes, the next run moves the records.",
    )
    lock: Annotated[str, LocalPath()] | None = Field(
        default=None,
        description="The file that keeps two runs apart, for targets whose file system has no locks: on a local disk. "
        "It keeps apart the runs that name it. Left out: beside the manifest, and in the target.",
    )
    shared: Flag = field_of(
        Config,
        "shared",
        "Whether the manifest may belong to another user or be writable by others: a group that runs this together "
        "(`chmod g+ws`, and umask 002 for everybody). Otherwise such a manifest is refused.",
    )
    notify: Notify = Field(default_factory=Notify)
    report: Annotated[str, LocalPath()] | None = Field(
        default=None,
        description="An HTML page about the pictures and the runs, not in the target; written after each run that no "
        "signal stopped.",
    )
    failures: Failures = Field(default_factory=Failures)
    max_runtime: Annotated[float | None, Seconds(0.1, 366 * 86_400)] = Field(
        default=None,
        description="How long a run may take, such as 50m: no picture is begun that would not be done by then, judging "
        "by earlier ones; the rest is for the next run (status 4). Left out: without end.",
    )
    until: Annotated[datetime.time | None, TimeOfDay()] = Field(
        default=None, description='The time of day at which a run must have ended, such as "06:00"; as max_runtime.'
    )

    @field_validator("resampler")
    @classmethod
    def _is_installed(cls, value: Resampler) -> Resampler:
        return check_resampler(value)
