"""What is known of a source file before it is decoded: its stat, what its sidecar says, its header."""

from __future__ import annotations

from dataclasses import dataclass


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
class Header:
    """What a picture's header promises, before anything is decoded. Width and height are as stored, unrotated."""

    format: str  # lower case, as Pillow names it: jpeg, png, mpo ...
    width: int
    height: int
    frames: int
    mode: str
    estimate: int  # bytes that decoding and rendering it will need at the most
