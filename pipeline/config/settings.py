"""The config as the program uses it: frozen, complete, with absolute paths. `load.load` makes it from YAML."""

from __future__ import annotations

import datetime
import enum
import itertools
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pipeline.errors import UsageError, without_secrets
from pipeline.model.only import Only
from pipeline.model.spec import Limits, Spec


def manifest_in(target: str) -> str:
    """The place of a target's manifest where the config does not set `manifest`."""
    return os.path.join(target, ".pipeline", "manifest.sqlite")


class OnCollision(enum.StrEnum):
    """What happens when two sources would make one target."""

    FAIL = "fail"
    KEEP_EXTENSION = "keep_extension"  # photo.jpg -> photo.jpg-thumb.webp: names become distinct


class Order(enum.StrEnum):
    """Which pictures are worked on first."""

    AUTO = "auto"  # by path; renditions that only a changed config asks for come last
    PATH = "path"
    NEWEST = "newest"  # the last added or changed, by ctime
    SMALLEST = "smallest"  # by the size of the source


class Durability(enum.StrEnum):
    """Whether a target is synced to the disk before the manifest calls it done."""

    SYNC = "sync"
    NONE = "none"  # safe against kills, not against power cuts


class Mtime(enum.StrEnum):
    """The modification time of a target."""

    WRITTEN = "written"  # when it was written
    SOURCE = "source"  # that of its source


class Tolerate(enum.StrEnum):
    """The damaged pictures that are made all the same, of what is there of them."""

    NOTHING = "nothing"
    TRUNCATED = "truncated"  # JPEG and PNG that are cut off


class Naming(enum.StrEnum):
    """What the names of pictures are made of where no column of a list has them."""

    PATH = "path"  # the host and path of the URL
    HASH = "hash"  # of the whole URL


@dataclass(frozen=True, slots=True)
class UrlSettings:
    """How the URLs of a list are read and fetched."""

    url: str = "url"  # the column
    name: str | None = None  # the column
    naming: Naming = Naming.PATH
    columns: tuple[str, ...] = ()  # that are recorded
    refresh: float | None = None  # seconds after which a server is asked whether a picture has changed; None: never
    per_host: int = 8  # requests at a time
    rate: float | None = 10.0  # requests a second to each host; None: as they come
    connect: float = 10.0  # seconds, for each address
    silence: float = 20.0  # seconds without a byte
    robots: bool = True  # whether robots.txt and X-Robots-Tag are heeded
    allow_private: bool = False  # whether a URL may lead to addresses that are not on the public internet
    proxy: bool = False  # whether the proxies of the environment are used
    user_agent: str | None = None


SERVICES = ("s3", "gs", "az")  # stores that obstore reaches; fsspec does the others


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """A place in object storage, and how it is reached. The environment has the credentials."""

    url: str = field(repr=False)  # such as s3://bucket/prefix, without a slash at its end; it may hold secrets
    endpoint: str | None = None  # None: that of the service, or of the environment
    region: str | None = None
    account: str | None = None  # of Azure
    anonymous: bool = False
    connect: float = 10.0  # seconds
    silence: float = 30.0  # seconds without a byte
    retry: float = 120.0  # seconds

    @property
    def scheme(self) -> str:
        """What its URL, or the first of a chain, begins with."""
        return self.url.partition(":")[0]

    @property
    def shown(self) -> str:
        """Its URL without secrets, for messages, logs and the manifest."""
        return without_secrets(self.url)

    def name_of(self, other: StoreSettings) -> str | None:
        """The name of the place `other` below this one, "" for the same; None where it is elsewhere."""
        if (self.endpoint, self.account) != (other.endpoint, other.account):
            return None
        if not f"{other.url}/".startswith(f"{self.url}/"):
            return None
        return other.url[len(self.url) + 1 :]


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """Where pictures are read from. Globs are matched against the path relative to `path`."""

    path: Path | None  # a folder or a list of URLs; None for a store
    include: tuple[str, ...] = ()  # empty: everything
    exclude: tuple[str, ...] = ()  # beside those that are always excluded
    follow_symlinks: bool | Literal["anywhere"] = False  # True: within the source
    settle: float = 0.0  # seconds; a file younger than this is deferred
    only: Only | None = None  # which pictures are taken; None: all
    urls: UrlSettings | None = None  # None: `path` is no list of URLs
    store: StoreSettings | None = None
    prefix: str = ""  # the folder that the names of its pictures begin with, if there are several sources

    def shared_by(self, processes: int) -> SourceSettings:
        """The same for one of so many processes, which together ask no more of a host than one."""
        if self.urls is None:
            return self
        rate = None if self.urls.rate is None else self.urls.rate / processes
        per_host = max(1, self.urls.per_host // processes)
        return replace(self, urls=replace(self.urls, per_host=per_host, rate=rate))

    @property
    def takes_raw(self) -> bool:
        """Whether camera raws are taken."""
        return self.only is not None and self.only.raw

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder on a disk of this machine."""
        return self.urls is None and self.store is None

    @property
    def local(self) -> Path:
        """The folder, or the list. Raises `UsageError` for a store."""
        if self.path is None:
            raise UsageError(f"this needs a source on a disk of this machine, and {self.place} is none")
        return self.path

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return str(self.path) if self.store is None else self.store.shown

    def file(self, source: str) -> Path:
        """Where the picture `source` of this source is. Raises `UsageError` for a store."""
        return self.local / source.removeprefix(f"{self.prefix}/")


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """Where files are written to, and how they are named."""

    path: Path | None  # the folder; None for a store
    name: str = "{dir}/{stem}-{rendition}.{ext}"
    on_collision: OnCollision = OnCollision.FAIL
    durability: Durability = Durability.SYNC
    mtime: Mtime = Mtime.WRITTEN
    mode: int | None = None  # permissions of new files; None: as the umask leaves them
    shards: Literal["webdataset"] | None = None  # None: every rendition is a file
    pictures: int = 10_000  # the most in a tar shard
    headers: tuple[tuple[str, str], ...] = ()  # of objects in a store, beside their type
    store: StoreSettings | None = None

    @property
    def folders(self) -> list[Path]:
        """The folder, if it is one."""
        return [] if self.path is None else [self.path]

    @property
    def folder(self) -> Path:
        """The folder. Raises `UsageError` for a store."""
        return self.folder_for("this")

    def folder_for(self, command: str) -> Path:
        """The folder, which `command` needs. Raises `UsageError` for a store."""
        if self.path is None:
            raise UsageError(f"{command} needs a target on a disk of this machine, and {self.place} is none")
        return self.path

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return str(self.path) if self.store is None else self.store.shown

    @property
    def where(self) -> Path | StoreSettings:
        """Where it is, for sources that may hold it."""
        return self.folder if self.store is None else self.store


class IoNice(enum.StrEnum):
    """How much the disks' other work goes first."""

    BEST_EFFORT = "best-effort"  # on the lowest level
    IDLE = "idle"  # only when nobody else wants the disk


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How many work at once. None means `auto`: from the CPUs this process may use."""

    threads: int | None = None
    processes: int | None = None
    queue: int = 64
    memory: int | None = None  # bytes for all pictures in flight
    nice: int = 0  # niceness of the run and all that it starts; a higher one that it was started with stays
    ionice: IoNice | None = None  # None: as it was started


LOCAL = "local"  # in the place of a scheduler's address


@dataclass(frozen=True, slots=True)
class ExecutorSettings:
    """An engine whose workers have the lanes of a run."""

    dask: str  # the address of its scheduler, or `LOCAL`: in the run's own process
    workers: int | None = None  # of the local one; None: one a CPU
    wait: float = 600.0  # seconds that a run goes on without any worker


class On(enum.StrEnum):
    """After which runs the command of `notify` is called."""

    FAILURE = "failure"
    SUCCESS = "success"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class CommandSettings:
    """A program that is started when a run has ended: in the folder of the config, without a shell."""

    run: tuple[str, ...]
    on: On = On.FAILURE
    timeout: float = 60.0  # seconds, then it is killed


@dataclass(frozen=True, slots=True)
class NotifySettings:
    """How the end of a run is reported beside its exit status. Nothing here can change that status."""

    ping: str | None = None  # the name of an environment variable: the URL in it is a secret
    command: CommandSettings | None = None
    metrics: Path | None = None
    status_file: Path | None = None


@dataclass(frozen=True, slots=True)
class FailureSettings:
    """When failures end a run: at a number of pictures, or at a share (0 to 1) of the pictures tried."""

    most: int | None = None
    most_share: float | None = None


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """What becomes of the pictures whose names match a glob, in the place of the config's renditions."""

    match: tuple[str, ...]
    specs: tuple[Spec, ...]  # the config's, as the rule changes them


@dataclass(frozen=True, slots=True)
class Config:
    """One YAML file, read and checked."""

    path: Path
    sources: tuple[SourceSettings, ...]  # one without a prefix, or each with another
    target: TargetSettings
    specs: tuple[Spec, ...]  # in the order of the file
    workers: WorkerSettings
    limits: Limits
    manifest: Path
    lock: Path | None = None  # instead of the locks beside the manifest and in the target
    shared: bool = False  # whether a manifest that other users can write is trusted
    notify: NotifySettings = NotifySettings()
    order: Order = Order.AUTO
    placeholder: bool = False  # whether each picture's main colour and ThumbHash are recorded
    failures: FailureSettings = FailureSettings()
    max_runtime: float | None = None  # seconds from the start of a run
    until: datetime.time | None = None  # of the local clock; the next time it shows that
    report: Path | None = None  # a page that is written after each run
    rules: tuple[RuleSettings, ...] = ()  # the first that matches holds
    executor: ExecutorSettings | None = None  # None: this machine

    def source_of(self, picture: str) -> SourceSettings | None:
        """The source that the picture of this name is of; None where the config no longer has it."""
        prefix = picture.partition("/")[0]
        return next((source for source in self.sources if source.prefix in ("", prefix)), None)

    def settling(self, seconds: float) -> Config:
        """The same, where no file is taken that is younger than so many seconds."""
        return replace(
            self, sources=tuple(replace(source, settle=max(source.settle, seconds)) for source in self.sources)
        )

    @property
    def source_paths(self) -> str:
        """The places of all sources, for messages."""
        return " and ".join(source.place for source in self.sources)

    @property
    def spec_sets(self) -> tuple[tuple[Spec, ...], ...]:
        """The specs of pictures that no rule matches, and those of each rule."""
        return (self.specs, *(rule.specs for rule in self.rules))

    @property
    def all_specs(self) -> tuple[Spec, ...]:
        """The specs of all pictures. Several may have one name."""
        return tuple(itertools.chain.from_iterable(self.spec_sets))

    @property
    def rendition_names(self) -> list[str]:
        """The names of the renditions of all pictures, each once, in the order of the file."""
        return list(dict.fromkeys(spec.name for spec in self.all_specs))


def families(specs: Iterable[Spec]) -> dict[str, tuple[Spec, ...]]:
    """The specs of every family, by its name, in the order of `specs`."""
    members: dict[str, tuple[Spec, ...]] = {}
    for spec in specs:
        if spec.family is not None:
            members[spec.family] = (*members.get(spec.family, ()), spec)
    return members
