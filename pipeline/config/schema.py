"""The config file as pydantic models: what may stand in it, and its JSON Schema for editors.

Each field is said once: its kind bounds it, its description serves editors, and its default is taken from the dataclass
that the program uses (`model.spec.Spec`, `model.spec.Limits`, `settings`).
"""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import (
    Field,
    GetJsonSchemaHandler,
    field_validator,
    model_validator,
)
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import CoreSchema, core_schema

from pipeline.config.kinds import BYTES, LIKE_BYTES, PIXELS, Amount, Flag, Json, OneOf, Says, Seconds, Whole, wrong
from pipeline.config.notify import Notify
from pipeline.config.rendition import Rendition, check_resampler
from pipeline.config.running import Failures, MaxRuntime, Until
from pipeline.config.section import Section, field_of
from pipeline.config.settings import (
    Config,
    Durability,
    OnCollision,
    Order,
    SourceSettings,
    TargetSettings,
    WorkerSettings,
)
from pipeline.config.template import FIELDS
from pipeline.config.texts import Glob, LocalPath, TargetName
from pipeline.model.shape import Length, Resampler
from pipeline.model.spec import Limits, Spec

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


class Folder(Section):
    """A section that may be written as its path alone."""

    @model_validator(mode="before")
    @classmethod
    def _from_path(cls, value: object) -> object:
        if isinstance(value, dict):
            return value
        if isinstance(value, str):
            return {"path": value}
        raise wrong("must be a path, or a mapping with the key path")

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        long = handler.resolve_ref_schema(handler(schema))
        return {"anyOf": [long["properties"]["path"], long]}


class Source(Folder):
    """Where pictures are read from."""

    path: Annotated[str, LocalPath()] = Field(description="The folder, relative to this file.")
    include: list[Annotated[str, Glob()]] = field_of(
        SourceSettings, "include", "Globs for paths relative to the folder; empty: every file that is a picture."
    )
    exclude: list[Annotated[str, Glob()]] = field_of(
        SourceSettings, "exclude", "Globs for what is left out, beside dot files and the like that always are."
    )
    follow_symlinks: Annotated[
        Annotated[bool, Field(strict=True)] | Literal["anywhere"], Says("must be true, false or anywhere")
    ] = field_of(
        SourceSettings,
        "follow_symlinks",
        "Whether links to files and folders are followed; true: within the source. Never into /proc, /sys, /dev.",
    )
    settle: Annotated[float, Seconds(0, 7 * 86_400)] = field_of(
        SourceSettings,
        "settle",
        "A file that was changed less than this ago is left for the next run; seconds, or 10m.",
    )


class Target(Folder):
    """Where files are written to, and how they are named."""

    path: Annotated[str, LocalPath()] = Field(
        description="The folder, relative to this file. It is made if it is missing."
    )
    name: Annotated[str, TargetName()] = field_of(
        TargetSettings, "name", f"How targets are named. Fields: {' '.join(f'{{{name}}}' for name in FIELDS)}."
    )
    on_collision: Annotated[OnCollision, OneOf(OnCollision)] = field_of(
        TargetSettings,
        "on_collision",
        "When two sources would make one target: fail them, or keep_extension (photo.jpg-thumb.webp) for all.",
    )
    durability: Annotated[Durability, OneOf(Durability)] = field_of(
        TargetSettings, "durability", "sync: safe against power cuts. none: safe against kills only, and faster."
    )


class Workers(Section):
    """How many work at once. Nothing here changes what is made."""

    threads: Annotated[int | None, Whole(1, 1024, auto=True)] = field_of(
        WorkerSettings, "threads", "I/O threads: pictures in flight at once."
    )
    processes: Annotated[int | None, Whole(0, 1024, auto=True)] = field_of(
        WorkerSettings,
        "processes",
        "Pictures are rendered in that many children; 0: in the I/O threads, without limits.",
    )
    queue: Annotated[int, Whole(1, 65_536)] = field_of(
        WorkerSettings, "queue", "Batches of jobs that may wait between the scan and the threads."
    )
    memory: Annotated[int | None, Amount(BYTES, LIKE_BYTES, 2**24, 2**50, auto=True)] = field_of(
        WorkerSettings, "memory", "For all pictures in flight together."
    )


class PictureLimits(Section):
    """Bounds on one picture; beyond them it fails, and it alone."""

    pixels: Annotated[int, Amount(PIXELS, 'a count such as "100 Mpx" or a number of pixels', 1, 10**12)] = field_of(
        Limits, "pixels", "Of all its frames together."
    )
    frames: Annotated[int, Whole(1, 10**6)] = field_of(Limits, "frames", "Of an animation.")
    scans: Annotated[int, Whole(1, 10**6)] = field_of(Limits, "scans", "Of a progressive JPEG.")
    seconds: Annotated[float, Seconds(0.1, 86_400)] = field_of(Limits, "seconds", "CPU seconds.")
    read: Annotated[float, Seconds(0.1, 86_400)] = field_of(Limits, "read", "What reading the source may take.")
    memory: Annotated[int, Amount(BYTES, LIKE_BYTES, 2**24, 2**50)] = field_of(
        Limits, "memory", "That a child may allocate for it."
    )
    file_size: Annotated[int, Amount(BYTES, LIKE_BYTES, 1, 2**50)] = field_of(
        Limits, "file_size", "Of the source file."
    )


class Document(Section):
    """What every picture in a folder should become."""

    source: Source
    target: Target
    renditions: Annotated[
        dict[Annotated[str, Field(pattern=f"^{NAME}$")], Rendition],
        Field(min_length=1, description="What is made of each picture: a name, and what it is to look like."),
    ]
    resampler: Annotated[Resampler, OneOf(Resampler)] = field_of(
        Spec, "resampler", "That of all renditions that do not choose their own."
    )
    order: Annotated[Order, OneOf(Order)] = field_of(
        Config,
        "order",
        "Which pictures come first. auto: by path, last what only a new config asks for; or path, newest, smallest.",
    )
    placeholder: Flag = field_of(
        Config,
        "placeholder",
        "Whether each picture's main colour and ThumbHash are recorded; with widths or formats they always are.",
    )
    workers: Workers = Field(default_factory=Workers)
    limits: PictureLimits = Field(default_factory=PictureLimits)
    manifest: Annotated[str, LocalPath()] | None = Field(
        default=None,
        description="The file that records what was made; left out: .pipeline/manifest.sqlite in the target.",
    )
    lock: Annotated[str, LocalPath()] | None = Field(
        default=None,
        description="The file that keeps two runs apart, for targets whose file system has no locks: on a local disk. "
        "Left out: beside the manifest, and in the target.",
    )
    shared: Flag = field_of(
        Config,
        "shared",
        "Whether the manifest may belong to another user or be writable by others: a group that runs this together.",
    )
    notify: Notify = Field(default_factory=Notify)
    report: Annotated[str, LocalPath()] | None = Field(
        default=None, description="An HTML page about the pictures and the runs, written after each run."
    )
    failures: Failures = Field(default_factory=Failures)
    max_runtime: MaxRuntime = Field(
        default=None,
        description="How long a run may take, such as 50m; the rest is for the next run. Left out: without end.",
    )
    until: Until = Field(default=None, description='The time of day at which a run must have ended, such as "06:00".')

    @field_validator("resampler")
    @classmethod
    def _is_installed(cls, value: Resampler) -> Resampler:
        return check_resampler(value)


class _ForEditors(GenerateJsonSchema):
    """Without titles, which say nothing, and without null: it is how the models say that a key may be left out."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - pydantic's signature
        return False

    def dict_schema(self, schema: core_schema.DictSchema) -> Json:
        json = super().dict_schema(schema)
        if "patternProperties" in json:  # pydantic leaves other names open
            json["additionalProperties"] = False
        return json

    def nullable_schema(self, schema: core_schema.NullableSchema) -> Json:
        return self.generate_inner(schema["schema"])

    def encode_default(self, dft: object) -> object:
        """A default as it is written in a config."""
        return str(dft) if isinstance(dft, Length) else super().encode_default(dft)

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> Json:
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)


def json_schema() -> Json:
    """The JSON Schema of a config file, complete, in a stable order."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Document.model_json_schema(schema_generator=_ForEditors),
        "title": "pipeline config",
    }


def schema_text() -> str:
    """The same as it stands in a file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
