"""The section `target` of a config: where files are written."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config.section import field_of, rule
from pipeline.config.settings import (
    Durability,
    Mtime,
    OnCollision,
    TargetSettings,
)
from pipeline.config.source import Folder
from pipeline.config.store import KEYS, Place
from pipeline.config.template import FIELDS
from pipeline.config.texts import (
    FileMode,
    LocalPath,
    ObjectHeaders,
    StoreUrl,
    TargetName,
)


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
