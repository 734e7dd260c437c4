"""The values that flow through the line: `Job -> bytes -> render -> renditions -> write -> Record -> manifest`.

All are frozen and picklable. Paths of sources and targets are `str` relative to the source or target root, with `/`
between parts and undecodable bytes carried as surrogates (`os.fsencode` gives the exact bytes back). Times of files are
integer nanoseconds since 1970, durations are float seconds, sizes are bytes, pictures are measured in pixels.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from pipeline.errors import ErrorKind, PictureError
from pipeline.shape import Extract, Gravity, Length, Resampler
from pipeline.steps import Step


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


class Fit(enum.StrEnum):
    """How a picture meets its box; the words of CSS object-fit and of sharp."""

    INSIDE = "inside"
    COVER = "cover"
    CONTAIN = "contain"
    FILL = "fill"
    OUTSIDE = "outside"


class Format(enum.StrEnum):
    """The formats a rendition can have; the value is also the file name extension but for jpeg and tiff."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    AVIF = "avif"
    GIF = "gif"
    TIFF = "tiff"

    @property
    def extension(self) -> str:
        """The usual file name extension, without the dot."""
        return {"jpeg": "jpg", "tiff": "tif"}.get(self.value, self.value)


ANIMATED = (Format.PNG, Format.WEBP, Format.AVIF, Format.GIF)  # formats, of sources too, that can hold an animation
DEFAULT_QUALITY = {Format.JPEG: 82, Format.WEBP: 80, Format.AVIF: 63}  # formats that are not here know no quality
EFFORT = {Format.PNG: (0, 9, 6), Format.WEBP: (0, 6, 4), Format.AVIF: (0, 10, 4)}  # least, most, default


class Profile(enum.StrEnum):
    """What becomes of a picture's colours."""

    SRGB = "srgb"  # converted to sRGB, the profile is dropped
    KEEP = "keep"  # left as they are, the profile goes along


class Metadata(enum.StrEnum):
    """What of a picture's metadata goes along; nothing `Private` does, whatever this says."""

    STRIP = "strip"  # copyright, artist and credit
    RIGHTS = "rights"  # those, and everything else about who may use the picture and how
    KEEP = "keep"


class Private(enum.StrEnum):
    """Metadata that never goes along unless asked for by name."""

    GPS = "gps"  # where it was taken
    SERIALS = "serials"  # of camera and lens; the camera's owner, the picture's unique ids
    MAKER_NOTES = "maker_notes"
    THUMBNAILS = "thumbnails"  # embedded ones, which may show what was cropped away
    COMMENTS = "comments"


class Animation(enum.StrEnum):
    """What becomes of an animation where the format can hold one."""

    KEEP = "keep"
    FIRST = "first"  # its first frame, and the others are not decoded


class Subsampling(enum.StrEnum):
    """How finely colour is stored beside brightness; the usual notation."""

    FULL = "4:4:4"
    HALF = "4:2:2"
    QUARTER = "4:2:0"


class Verify(enum.StrEnum):
    """How an encoded rendition is looked at before it is delivered."""

    HEADER = "header"  # opened from its bytes: format, size, mode, frames and metadata are as they should be
    DECODE = "decode"  # and all its pixels decoded


CHATTER = "stderr: "  # begins a warning that a library printed; only children catch it, so exports leave it out
AS_SOURCE = 0  # as a density: the source's
LARGEST = -1  # as a page: the one with the most pixels


@dataclass(frozen=True, slots=True)
class Spec:
    """What one rendition is to look like. The recipe is every field that can change bytes: not name, family, verify."""

    name: str
    width: int | None = None  # pixels of the box; None: free
    height: int | None = None
    fit: Fit = Fit.INSIDE
    enlarge: bool = False
    format: Format = Format.JPEG
    quality: int | None = None  # None: the format's default, see `effective_quality`
    background: str = "#ffffff"  # under alpha where the format has none, and around `contain`
    lossless: bool = False
    effort: int | None = None  # on the format's own scale, see `EFFORT`
    subsampling: Subsampling | None = None  # None: 4:2:0 for JPEG below quality 90, else 4:4:4
    progressive: bool | None = None  # JPEG; None: where it is worth its time
    colors: int | None = None  # of a palette; None: PNG has none, GIF as many as it can
    max_bytes: int | None = None  # the best quality that fits, at most `effective_quality`
    optimize: bool = False  # a lossless second pass over the encoded JPEG
    keep_smaller: bool = False  # the source's bytes instead, if they are as asked in every way and no more
    profile: Profile = Profile.SRGB
    metadata: Metadata = Metadata.STRIP
    private: tuple[Private, ...] = ()  # in canonical order
    density: int | None = None  # dots per inch, or AS_SOURCE, which None means where metadata is kept, too
    animation: Animation = Animation.KEEP
    page: int | None = None  # from 0, of what holds several pictures; None: the main one
    verify: Verify = Verify.HEADER  # cannot change bytes, only whether there are any: not part of the recipe
    family: str | None = None  # that it is one of, with a name of family, width and format; not part of the recipe
    aspect: tuple[int, int] | None = None  # width : height; gives the side of the box that is free
    dpr: float = 1.0  # device pixels for each pixel of the box, of `pad` and of margins
    gravity: Gravity = Gravity.CENTRE
    focal_point: tuple[float, float] | None = None  # in place of gravity; 0..1 of the whole upright picture
    extract: Extract | None = None
    rotate: int = 0  # degrees clockwise, a multiple of 90
    trim: int | None = None  # levels (of 255) by which a border may differ from its corner and still be cut off
    pad: tuple[Length, Length, Length, Length] | None = None  # top, right, bottom, left, around the box
    steps: tuple[Step, ...] = ()
    linear: bool = False  # resampled in linear light
    resampler: Resampler = Resampler.AUTO
    shrink_on_load: bool = True  # whether the decoder may shrink, where it can

    @property
    def label(self) -> str:
        """The name in file names: that of a family's member is without its format, which the extension tells."""
        return self.name if self.family is None else self.name.removesuffix(f"-{self.format.value}")

    @property
    def effective_quality(self) -> int | None:
        """What the encoder is told: the quality asked for, else the format's default; None where a format has none."""
        return DEFAULT_QUALITY.get(self.format) if self.quality is None else self.quality


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one picture; they never change bytes, only whether there are any."""

    pixels: int = 100_000_000  # of all frames together
    frames: int = 1_000
    scans: int = 500  # of a progressive JPEG
    read: float = 60.0  # seconds that reading the source may take
    seconds: float = 300.0  # CPU seconds; the wall backstop is ten times this
    memory: int = 2560 * 2**20  # bytes a child may allocate for it: what 100 Mpx need in the costliest format (WebP)
    file_size: int = 256 * 2**20  # bytes of the source file


@dataclass(frozen=True, slots=True)
class Stat:
    """A file's fingerprint without opening it; that of a picture includes the one of its sidecar, if it has one."""

    size: int
    mtime_ns: int
    ctime_ns: int
    device: int = 0
    inode: int = 0
    sidecar: Stat | None = None

    def same_content(self, other: Stat) -> bool:
        """Whether size and both times agree. Device and inode are left out: a remount or a restore changes them."""
        if (self.size, self.mtime_ns, self.ctime_ns) != (other.size, other.mtime_ns, other.ctime_ns):
            return False
        if self.sidecar is None or other.sidecar is None:
            return self.sidecar is other.sidecar
        return self.sidecar.same_content(other.sidecar)

    @property
    def changed_ns(self) -> int:
        """The last change of the file or its sidecar: the later ctime."""
        return self.ctime_ns if self.sidecar is None else max(self.ctime_ns, self.sidecar.ctime_ns)


@dataclass(frozen=True, slots=True)
class Overrides:
    """What a sidecar says of its picture. Fractions are of the upright picture, from its left and top."""

    focal_point: tuple[float, float] | None = None  # of the whole picture, whether it is cropped or not
    crop: tuple[float, float, float, float] | None = None  # left, top, width, height
    skip: bool = False  # nothing is to be made of it
    alt: str | None = None  # what it shows, in words; goes into exports only


@dataclass(frozen=True, slots=True)
class Planned:
    """One rendition to be made: what, where to, and why."""

    spec: Spec
    target: str
    recipe: str
    reason: Reason
    ours: bool = False  # the target path is claimed already: a file there was made by this config and may be replaced


@dataclass(frozen=True, slots=True)
class Job:
    """One source picture to be carried to all renditions that are missing or stale.

    `known_sha256` is what the last run's renditions were made from (`KnownSource.made_from`), when there was one: a job
    whose every reason is `source changed` and whose content still has this hash is `touched`, not rendered; `unchanged`
    where even its stat is the remembered one.
    """

    source: str
    stat: Stat
    planned: tuple[Planned, ...]
    known_sha256: bytes | None = None
    refused: tuple[RenditionRecord, ...] = ()  # renditions that have failed without being tried: part of the record
    stat_is_new: bool = True  # False: it is the remembered one, which was taken too early to be trusted


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture's header promises, before anything is decoded. Width and height are as stored, unrotated."""

    format: str  # lower case, as Pillow names it: jpeg, png, mpo ...
    width: int
    height: int
    frames: int
    mode: str
    estimate: int  # bytes that decoding and rendering it will need at the most


@dataclass(frozen=True, slots=True)
class RenderTask:
    """What a renderer is asked for, beside the descriptor of the picture's bytes."""

    specs: tuple[Spec, ...]
    limits: Limits
    focal_point: tuple[float, float] | None = None  # from left and top, 0..1 of the whole upright picture, crop or not
    crop: tuple[float, float, float, float] | None = None  # left, top, width, height: fractions of the upright picture
    hints: tuple[tuple[str, int], ...] = ()  # (rendition, quality) found for this very content, recipe and libraries
    placeholder: bool = False  # whether the answer is to hold `color` and `thumbhash`
    beside: tuple[Spec, ...] = ()  # not made now, yet heeded in decoding: who is made alone is made alike


@dataclass(frozen=True, slots=True)
class Rendered:
    """One encoded rendition. `index` is the position of its descriptor among those that came with the answer."""

    name: str
    index: int
    size: int
    format: Format
    width: int
    height: int
    seconds_resize: float
    seconds_encode: float
    status: Status = Status.DONE
    warnings: tuple[str, ...] = ()
    quality: int | None = None  # that a search (`max_bytes`) ended with; None where nothing was searched


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a file turned out to be when it was opened, as `render.inspect` finds it."""

    format: str  # as `Header.format`
    width: int
    height: int
    mode: str
    frames: int  # of an animation, else 1
    has_profile: bool
    private: tuple[Private, ...]  # what was found of it, in canonical order


@dataclass(frozen=True, slots=True)
class NotRendered:
    """A rendition that could not be made although its source could be decoded."""

    name: str
    error: PictureError


@dataclass(frozen=True, slots=True)
class RenderAnswer:
    """What came of a `RenderTask`, in the order of its specs."""

    header: Header
    renditions: tuple[Rendered | NotRendered, ...]
    seconds_decode: float
    libraries: str  # names and versions of all that touched the pixels, "pillow=13.0.0 libjpeg_turbo=3.1.2"
    warnings: tuple[str, ...] = ()
    upright: tuple[int, int] | None = None  # width and height of the whole picture, turned as it is looked at
    color: str | None = None  # "#rrggbb", the dominant one; only where the task asked for a placeholder
    thumbhash: bytes | None = None  # likewise; 5 to 25 bytes


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
