"""The sources of a config: folders, or lists of URLs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from pipeline.config.fetch import LISTS, Fetch, Refresh, is_list
from pipeline.config.kinds import Seconds, SwitchOr
from pipeline.config.section import Json, Section, Side, field_of, rule, wrong
from pipeline.config.settings import Naming, SourceSettings, UrlSettings
from pipeline.config.store import KEYS, Place
from pipeline.config.texts import ColumnOrStore, Glob, LocalPath, Prefix, StoreUrl, is_url
from pipeline.model import only as model

Taken = Literal["jpeg", "png", "webp", "avif", "heif", "gif", "tiff", "bmp", "ico", "ppm", "jp2", "jxl"]


class Folder(Section):
    """A section that may be written as its path alone."""

    @model_validator(mode="before")
    @classmethod
    def _from_path(cls, value: object) -> object:
        if isinstance(value, dict):
            return value
        if isinstance(value, str):
            return {"url": value} if is_url(value) and "url" in cls.model_fields else {"path": value}
        raise wrong("must be a path, or a mapping with the key path")

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        long = handler.resolve_ref_schema(handler(schema))
        short = [long["properties"]["path"], *([StoreUrl().json()] if "url" in cls.model_fields else [])]
        return {"anyOf": [*short, long]}


class Only(Section):
    """Which pictures of a source are taken, by upright width and height in pixels, both bounds included."""

    min_width: Side | None = field_of(model.Only, "min_width", "The least width.")
    max_width: Side | None = field_of(model.Only, "max_width", "The greatest width.")
    min_height: Side | None = field_of(model.Only, "min_height", "The least height.")
    max_height: Side | None = field_of(model.Only, "max_height", "The greatest height.")
    max_aspect: Annotated[float, Field(strict=True, ge=1, le=1000)] | None = field_of(
        model.Only, "max_aspect", "The longer side by the shorter one: 3 leaves out banners."
    )
    formats: list[Taken] = field_of(
        model.Only, "formats", "The formats, told by the content of the files; empty: every one."
    )

    @model_validator(mode="after")
    def _some_picture_fits(self) -> Only:
        for side in ("width", "height"):
            least, most = getattr(self, f"min_{side}"), getattr(self, f"max_{side}")
            if least is not None and most is not None and least > most:
                raise rule(f"min_{side} is more than max_{side}, so no picture is taken")
        return self


class Source(Folder, Place):
    """Where pictures are read from."""

    path: Annotated[str, LocalPath()] | None = Field(
        default=None,
        description="The folder, relative to this file; or a list of URLs: a file whose name ends with .txt, .csv, "
        ".tsv, .jsonl or .parquet, also with .gz after it.",
    )
    include: list[Annotated[str, Glob()]] = field_of(
        SourceSettings, "include", "Globs for paths relative to the folder; empty: every file that is a picture."
    )
    exclude: list[Annotated[str, Glob()]] = field_of(
        SourceSettings,
        "exclude",
        "Globs for what is left out, beside hidden files, uploads in progress and the like that always are.",
    )
    follow_symlinks: Annotated[bool | Literal["anywhere"], SwitchOr("anywhere")] = field_of(
        SourceSettings,
        "follow_symlinks",
        "Whether links are followed. true: to what is inside the source; anywhere: also to what is outside, but never "
        "into /proc, /sys, /dev. Other links are skipped, with the reason.",
    )
    settle: Annotated[float, Seconds(0, 7 * 86_400)] = field_of(
        SourceSettings,
        "settle",
        "A file that was changed less than this ago is deferred to the next run.",
    )
    raw: Literal["preview"] | None = Field(
        default=None,
        description="preview: camera raws count as pictures, and the largest JPEG that the camera has put into one is "
        "taken. Left out: they are passed over.",
    )
    only: Only | None = field_of(
        SourceSettings,
        "only",
        "Which pictures are taken, told by their headers. The others are counted as filtered.",
    )
    url: Annotated[str, ColumnOrStore()] = field_of(
        UrlSettings,
        "url",
        "In the place of path: a bucket, or a prefix in one, such as s3://bucket/photos. Of a list of URLs: the column "
        "that has them.",
    )
    name: str | None = field_of(
        UrlSettings, "name", "Of a list of URLs: the column that has the names of the pictures, which are made safe."
    )
    naming: Naming = field_of(
        UrlSettings,
        "naming",
        "Of a list of URLs without such a column. path: names are the host and path of the URL; hash: a hash of all of "
        "it, which also keeps apart URLs that differ only in their query.",
    )
    columns: list[str] = field_of(
        UrlSettings, "columns", "Of a list of URLs: columns that are recorded, and exported as list_NAME."
    )
    refresh: Annotated[float | None, Refresh()] = field_of(
        UrlSettings,
        "refresh",
        "Of a list of URLs: how long after a URL was asked for a run asks again whether it has changed. never, always, "
        "or a duration such as 7d.",
    )
    fetch: Fetch = Field(default_factory=Fetch)

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Source:
        said = self.model_fields_set
        if self.path is None:
            return self._of_a_store()
        if wrong_here := said & KEYS:
            raise rule(f"{min(wrong_here)} is for a store such as url: s3://bucket/photos, and this is none")
        if is_list(self.path):
            if wrong_here := said & {"follow_symlinks", "settle"}:
                raise rule(f"{min(wrong_here)} is for folders, and this is a list of URLs")
            if said & {"url", "name", "columns"} and ".txt" in self.path[-7:].lower():
                raise rule("a .txt file has no columns: it is a URL a line")
        elif wrong_here := said & {"url", "name", "naming", "columns", "refresh", "fetch"}:
            kinds = ", ".join(f".{suffix}" for suffix in LISTS)
            raise rule(f"{min(wrong_here)} is for a list of URLs, a file whose name ends with {kinds}")
        return self

    def _of_a_store(self) -> Source:
        if not is_url(self.url):
            raise rule("must have a path; a store such as s3://bucket/photos is its url")
        if wrong_here := self.model_fields_set - {"url", "include", "exclude", "only", "raw", "prefix"} - KEYS:
            raise rule(f"{min(wrong_here)} is for folders or lists of URLs, and this is a store")
        return self


class PrefixedSource(Source):
    """One of several sources, each with keys as in source."""

    prefix: Annotated[str, Prefix()] = Field(
        description="The folder that the names of its pictures begin with, in targets, the manifest and globs of rules."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_path(cls, value: object) -> object:
        if isinstance(value, dict):
            return value
        raise wrong("must be a mapping with the keys path or url, and prefix")

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        return handler.resolve_ref_schema(handler(schema))
