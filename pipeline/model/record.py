"""Results: what became of a source and of its renditions, in this run (records) and in earlier ones (known)."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.pickling import quickly_pickled
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
    """The result of a source or a rendition."""

    DONE = "done"
    KEPT = "kept"  # the source's own bytes were kept because nothing smaller could be made
    DAMAGED = "done with damage"  # of what is there of a source that is cut off; see `Limits.truncated`
    UNCHANGED = "unchanged"
    TOUCHED = "touched"  # the stat had changed, the content had not
    FAILED = "failed"
    SKIPPED = "skipped"
    FILTERED = "filtered"  # left out by `only` of its source, by its header
    UNSUPPORTED = "unsupported"  # not a picture and not named like one
    VANISHED = "vanished"  # listed, and gone before it was read
    DEFERRED = "deferred"  # younger than `settle`: left for the next run
    PENDING = "pending"
    KNOWN_FAILURE = "known failure"  # failed in an earlier run that reported it, and nothing has changed since


MADE = (Status.DONE, Status.KEPT, Status.DAMAGED)  # a tuple, because an enum's hash is computed in Python
MADE_WORDS = str(tuple(map(str, MADE)))  # for SQL


@quickly_pickled
@dataclass(frozen=True, slots=True)
class Written:
    """A file that a target now holds, synced under its final name."""

    path: str
    size: int
    mtime_ns: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Shown:
    """The part of the upright picture (of its page, if it has several) that a rendition shows, and where it lies there.

    Both boxes are left, top, width, height in pixels. Edges of `box` may lie between pixels. `turn` is in degrees
    clockwise, from the part to the rendition, after EXIF's.
    """

    box: tuple[float, float, float, float]
    turn: int
    place: tuple[int, int, int, int]


@quickly_pickled
@dataclass(frozen=True, slots=True)
class RenditionRecord:
    """The result of one rendition. Fields after `error` are None or 0 unless the status is `done` or `kept`."""

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
    quality: int | None = None  # found by a search for `max_bytes` or a similarity
    score: float | None = None  # its similarity, where that was sought
    libraries: str | None = None  # where an earlier run made these bytes with other libraries than the record's
    shown: Shown | None = None
    reused: bool = False  # whether a target with these bytes was there; for the summary only


@quickly_pickled
@dataclass(frozen=True, slots=True)
class Record:
    """The result of one job. `status` is that of the source: `done`, `touched`, `failed`, `unsupported`, `vanished` ...

    `failed` means that the source itself could not be read or decoded (then `error` says why), or that a rendition
    failed (then its own record says why). `settled` is False when the source was read less than two seconds after its
    ctime: a later write within the clock's resolution could go unnoticed, so the next run hashes the source again.
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
    peak_memory: int | None = None  # bytes, of the child that rendered it; None where it cannot be measured
    libraries: str = ""
    warnings: tuple[str, ...] = ()
    content: bytes | None = None  # hash of picture and sidecar together; None without a sidecar
    upright: tuple[int, int] | None = None
    orientation: int | None = None  # as `RenderAnswer.orientation`
    color: str | None = None
    thumbhash: bytes | None = None
    alt: str | None = None

    @property
    def is_the_same(self) -> bool:
        """Whether the content is that of the last record, which remains valid. The stat may be new."""
        return self.status in (Status.TOUCHED, Status.UNCHANGED)

    @property
    def made_from(self) -> bytes | None:
        """The hash of everything that the renditions depend on: the picture, and its sidecar if it has one."""
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
    header: Header | None = None  # its estimate is 0
    upright: tuple[int, int] | None = None
    filtered: str = ""  # why, where the status is `filtered`

    @property
    def made_from(self) -> bytes | None:
        """As `Record.made_from`."""
        return self.sha256 if self.content is None else self.content
