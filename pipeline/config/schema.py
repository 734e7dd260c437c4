"""The config file as pydantic models: what may stand in it. `editors` makes its JSON Schema of them.

Each field is said once: its kind bounds it, its description serves editors, and its default is taken from the dataclass
that the program uses (`model.spec.Spec`, `model.spec.Limits`, `settings`).
"""

from __future__ import annotations

import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, GetJsonSchemaHandler, WrapValidator, field_validator, model_validator
from pydantic_core import CoreSchema

from pipeline.config.formats import check_installed
from pipeline.config.kinds import (
    BYTES,
    LIKE_BYTES,
    PIXELS,
    Amount,
    Seconds,
    StopAfter,
    TimeOfDay,
)
from pipeline.config.rendition import Rendition
from pipeline.config.section import Flag, Json, Section, field_of, noted, noted_of_rules, rule, wrong
from pipeline.config.settings import (
    CommandSettings,
    Config,
    On,
    Order,
    Tolerate,
)
from pipeline.config.source import PrefixedSource, Source
from pipeline.config.target import Target
from pipeline.config.texts import (
    Glob,
    LocalPath,
    MetricsPath,
    VariableName,
    Words,
)
from pipeline.config.workers import Executor, Workers
from pipeline.model.shape import Resampler
from pipeline.model.spec import Limits, Spec

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


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
        "row, or twice the threads, end the run with status 3. Left out, a store has its retry and twice its silence "
        "where that is more.",
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
        "signal stopped, and by `manifest merge` instead of by runs of shards.",
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
        check_installed(value)
        return value
