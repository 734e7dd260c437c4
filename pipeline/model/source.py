"""What is known of a source file before it is decoded: its stat, what its sidecar says, its header."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime

from pipeline.errors import PictureError
from pipeline.model.pickling import quickly_pickled


@dataclass(frozen=True, slots=True)
class Remote:
    """Where a picture is that is no file, and what its server has said of it."""

    url: str = field(repr=False)  # with its secrets: for requests, never stored or shown
    shown: str  # without them
    columns: str = "{}"  # what the list says of it beside, as JSON
    heeded: bool = True  # whether what its site wants is heeded
    error: PictureError | None = None  # why it cannot be asked for
    etag: str | None = None
    last_modified: str | None = None

    def validated(self, etag: str | None, last_modified: str | None) -> Remote:
        """The same with other validators, by which a server can tell that nothing has changed since."""
        return replace(self, etag=etag, last_modified=last_modified)


@quickly_pickled
@dataclass(frozen=True, slots=True)
class Stat:
    """A file's fingerprint, taken without opening it. That of a picture includes the stat of its sidecar, if any.

    Of a picture that is no file, it is made up by its source, and `remote` has where it is.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    device: int = 0
    inode: int = 0
    sidecar: Stat | None = None
    remote: Remote | None = None

    def same_content(self, other: Stat) -> bool:
        """Whether size and both times agree, the sidecar's too. Device and inode may differ: a remount changes them."""
        if (self.size, self.mtime_ns, self.ctime_ns) != (other.size, other.mtime_ns, other.ctime_ns):
            return False
        if self.sidecar is None or other.sidecar is None:
            return self.sidecar is other.sidecar
        return self.sidecar.same_content(other.sidecar)

    @property
    def dated_ns(self) -> int | None:
        """When the picture was last modified, in nanoseconds since 1970; None where its server does not say."""
        if self.remote is None:
            return self.mtime_ns
        try:
            return int(parsedate_to_datetime(self.remote.last_modified or "").timestamp()) * 10**9
        except (ValueError, OverflowError):
            return None

    @property
    def changed_ns(self) -> int:
        """The last change of the file or its sidecar: the later ctime."""
        return self.ctime_ns if self.sidecar is None else max(self.ctime_ns, self.sidecar.ctime_ns)


@dataclass(frozen=True, slots=True)
class Overrides:
    """The settings of a sidecar. Fractions are of the upright picture, from its left and top."""

    focal_point: tuple[float, float] | None = None  # of the whole picture, whether it is cropped or not
    crop: tuple[float, float, float, float] | None = None  # left, top, width, height
    skip: bool = False  # leave the picture out
    alt: str | None = None  # alternative text, for exports


@quickly_pickled
@dataclass(frozen=True, slots=True)
class Header:
    """A picture's header, read before anything is decoded. Width and height are as stored, before rotation."""

    format: str  # lower case, as Pillow names it: jpeg, png, mpo ...
    width: int
    height: int
    frames: int
    mode: str
    estimate: int  # upper bound of the bytes that decoding and rendering take
