"""What a store of objects offers, whatever its service: list, look, get, put, remove; and how these fail.

Names are those of objects below the store's place, which is a bucket or a prefix in one. `opening.store_at` makes the
`Store` of a place.
"""

from __future__ import annotations

import enum
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

UPLOAD = ".pipeline/upload-"  # how the names of objects begin that are not whole yet

_NO_TEXT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")  # control characters, and bytes that could not be decoded


class Fault(enum.Enum):
    """What a failure means to its caller."""

    MISSING = enum.auto()  # there is no such object
    TAKEN = enum.auto()  # an object has the name that was to be free, or is not the one that was to be replaced
    BAD_NAME = enum.auto()  # no object can have this name
    DENIED = enum.auto()  # not with these credentials; perhaps others of the same store
    NO_STORE = enum.auto()  # the bucket is not there, or there are no credentials for it
    UNREACHABLE = enum.auto()  # it does not answer, or only with errors of its own; tried again in vain
    OTHER = enum.auto()


class StoreFailure(Exception):
    """A request failed. `text` says of the store, after its name, what it does: one line that holds no secret."""

    def __init__(self, fault: Fault, text: str) -> None:
        self.fault = fault
        self.text = text
        super().__init__(fault, text)

    def __str__(self) -> str:
        return self.text


class Entry(NamedTuple):
    """An object."""

    name: str
    size: int  # bytes
    version: int  # 63 bits that stand for its ETag; where the store has none, when it was modified
    modified: float  # seconds since 1970, by the store's clock
    etag: str | None = None  # as the store takes it in conditions, with the next
    generation: str | None = None


class Body(NamedTuple):
    """An object that is being read."""

    entry: Entry
    pieces: Iterator[bytes | memoryview]  # as many bytes as the entry says; raises `StoreFailure`


class Store(Protocol):
    """Any thread may call any method. All raise `StoreFailure`."""

    def entries(self) -> Iterator[Sequence[Entry]]:
        """Everything in the store in any order, in pieces of at most some thousand entries.

        Raises `Fault.BAD_NAME` where an object has a name that cannot be told; see `entries_in`.
        """
        ...

    def entries_in(self, folder: str) -> tuple[list[Entry], list[str]]:
        """What is directly in a folder ("" for the root), and the paths of the folders in it."""
        ...

    def look(self, name: str) -> Entry | None:
        """The object of this name; None where there is none."""
        ...

    def get(self, name: str) -> Body:
        """Begin to read the object."""
        ...

    def put(
        self,
        name: str,
        content: memoryview,
        headers: Mapping[str, str],
        *,
        replace: bool = True,
        over: Entry | None = None,
        before_rename: Callable[[], None] = lambda: None,
    ) -> Entry:
        """Store all of `content` in one step. Without `replace`, or where what is there is not `over`,
        raises `Fault.TAKEN`, if the store has conditions.

        `before_rename` is called where the bytes are stored under another name first, right before they get theirs.
        What it raises is passed on if it is a `PipelineError`.
        """
        ...

    def remove(self, name: str) -> None:
        """Remove the object. One that is not there is no failure."""
        ...


def can_be_named(path: str) -> bool:
    """Whether an object can have this name. Any kind of space is allowed: screenshots of macOS have a narrow one."""
    return _NO_TEXT.search(path) is None and not {"", ".", ".."} & {*path.split("/")}


def counted(entry: Entry, pieces: Iterable[bytes | memoryview]) -> Body:
    """The body of `entry`. A store that sends more or fewer bytes than it has said is a failure, found in time: what is
    too large by its size is never read, and no other is larger.
    """
    return Body(entry, _counted(entry.size, pieces))


def _counted(size: int, pieces: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    received = 0
    for piece in pieces:
        received += len(piece)
        if received > size:
            raise StoreFailure(Fault.OTHER, f"sent more than the {size:,} bytes that it has said")
        yield piece
    if received < size:
        raise StoreFailure(Fault.OTHER, f"sent {received:,} of the {size:,} bytes that it has said")


def version_of(etag: str | None, modified: float) -> int:
    """The `version` of an entry. ETags come with and without quotes, times with and without fractions of a second."""
    if not etag:
        return int(modified) * 10**9
    plain = etag.removeprefix("W/").strip('"')
    return int.from_bytes(hashlib.sha256(plain.encode()).digest()[:8]) >> 1
