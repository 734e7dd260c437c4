"""What came of a source and of its renditions, and what the manifest remembers of them."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.source import Header, Stat


class Reason(enum.StrEnum):
    """Why a rendition is in the plan."""

    NEW = "new"
    SOURCE_CHANGED = "source changed"
    RECIPE_CHANGED = "recipe changed"
    MISSING = "missing"
    DAMAGED = "damaged"
    RETRY = "retry"
    FORCED = "forced"
    UNCHANGED = "unchanged"
    KNOWN_FAILURE = "known failure"


class Status(enum.StrEnum):
    """What came of a source or a rendition."""

    DONE = "done"
    KEPT = "kept"  # the source's own bytes were kept because nothing smaller could be made
    UNCHANGED = "unchanged"
    TOUCHED = "touched"  # the stat had changed, the content had not
    FAILED = "failed"
    SKIPPED = "skipped"
    UNSUPPORTED = "unsupported"  # not a picture and not named like one
    VANISHED = "vanished"  # was listed, and gone when it was to be read
    DEFERRED = "deferred"  # younger than `settle`: left for the next run
    PENDING = "pending"
    KNOWN_FAILURE = "known failure"  # failed in an earlier run that has told of it, and nothing has changed since


@dataclass(frozen=True, slots=True)
class Written:
    """A file that a target now holds, synced under its final name."""

    path: str
    size: int
    mtime_ns: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class RenditionRecord:
    """What came of one rendition. Fields after `error` are None or 0 unless the status is `done` or `kept`."""

    name: str
    target: str
    recipe: str
    status: Status
    reason: Reason
    error: PictureError | None = None
    written: Written | None = None
    format: str | None = None
    width: int | None = None
    height: int | None = None
    seconds_resize: float = 0.0
    seconds_encode: float = 0.0
    seconds_write: float = 0.0
    warnings: tuple[str, ...] = ()
    quality: int | None = None  # that a search ended with
    libraries: str | None = None  # where they are not those of the record: an earlier run made these bytes
    reused: bool = False  # whether the bytes were those of a target that was there; told in the summary only


@dataclass(frozen=True, slots=True)
class Record:
    """What came of one job. `status` is that of the source: `done`, `touched`, `failed`, `unsupported`, `vanished` ...

    `failed` means that the source itself could not be read or decoded (`error` says why) or that a rendition failed;
    each rendition then has its own record. `settled` is False when the source was read less than two seconds after
    its ctime, so that a later write within the clock's grain could go unseen: the next run hashes it once more.
    """

    source: str
    stat: Stat
    status: Status
    renditions: tuple[RenditionRecord, ...] = ()
    error: PictureError | None = None
    sha256: bytes | None = None
    settled: bool = True
    header: Header | None = None
    seconds_read: float = 0.0
    seconds_decode: float = 0.0
    peak_memory: int | None = None  # bytes, of the child that rendered it; None where it cannot be told
    libraries: str = ""
    warnings: tuple[str, ...] = ()
    content: bytes | None = (
        None  # hash of picture and sidecar together; None: there is no sidecar, `sha256` says it all
    )
    upright: tuple[int, int] | None = None
    color: str | None = None
    thumbhash: bytes | None = None
    alt: str | None = None

    @property
    def is_the_same(self) -> bool:
        """Whether the content turned out to be that of the last verdict, which stands; its stat may be new."""
        return self.status in (Status.TOUCHED, Status.UNCHANGED)

    @property
    def made_from(self) -> bytes | None:
        """The hash of everything of the source that its renditions depend on."""
        return self.sha256 if self.content is None else self.content


@dataclass(frozen=True, slots=True)
class KnownRendition:
    """What the manifest remembers of one rendition."""

    target: str
    recipe: str
    status: Status
    error: ErrorKind | None
    size: int | None
    mtime_ns: int | None
    sha256: bytes | None


@dataclass(frozen=True, slots=True)
class KnownSource:
    """What the manifest remembers of one source; `renditions` by name."""

    source: str
    stat: Stat
    sha256: bytes | None
    settled: bool
    status: Status
    error: ErrorKind | None
    renditions: dict[str, KnownRendition] = field(default_factory=dict)
    content: bytes | None = None

    @property
    def made_from(self) -> bytes | None:
        """As `Record.made_from`."""
        return self.sha256 if self.content is None else self.content
