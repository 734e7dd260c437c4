"""Copies one file's bytes into sealed memory, which nothing can change any more, and hashes them on the way.

Measured for 2.4 MB in the page cache on one core: read, hash and write in turn 2.5 ms, of which the hash is 1.35;
sendfile and hashing a mapping 2.9, reading into a mapping 3.4; for 20 kB 0.03 ms against 0.05. copy_file_range cannot
copy into a memfd.
"""

from __future__ import annotations

import errno
import hashlib
import os
from dataclasses import dataclass

from pipeline.errors import ErrorKind, PictureError, SourceTrouble, printable
from pipeline.folder import CHUNK, first_read
from pipeline.sources import magic
from pipeline.workers import sealed

_OUT_OF = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True)
class Copied:
    """What `copy` made: a descriptor, which the caller closes, and the SHA-256 and number of its bytes."""

    descriptor: int
    sha256: bytes
    size: int


def copy(descriptor: int, head: bytes, limit: int, expected: int | None = None) -> Copied:
    """Copy `head`, which was read already, and the rest of `descriptor` into sealed memory.

    `expected` is the file's size by its stat, in bytes. A read that asked for more bytes than were left is the last
    one; `head` came from such a read if it asked for `first_read(expected)`. Raises `PictureError` (unreadable; too
    many bytes: more than `limit`), and `SourceTrouble` when this process has no descriptors or memory left.
    """
    held = memory_file()
    try:
        digest = hashlib.sha256()  # releases the GIL for each chunk
        size = 0
        chunk, asked = head, first_read(expected)
        while chunk:
            size += len(chunk)
            if size > limit:
                raise too_many_bytes(size, limit)
            digest.update(chunk)
            write(held, chunk)
            if size == expected and len(chunk) < asked:
                break
            chunk, asked = read(descriptor, CHUNK), CHUNK
        sealed.seal(held)
        return Copied(held, digest.digest(), size)
    except BaseException:
        os.close(held)
        raise


def format_of(source: str, head: bytes, *, raw: bool) -> str | None:
    """The format of the file `source` that begins with `head`; None where it is no picture, by its name too.

    Raises `PictureError` (not a picture) where only its name is one of a picture.
    """
    image_format = magic.recognise(source, head, raw=raw)
    if image_format is None and magic.has_picture_name(source):
        raise PictureError(ErrorKind.NOT_A_PICTURE, _beginning(head))
    return image_format


def _beginning(head: bytes) -> str:
    return f"it starts with '{printable(head[:16].decode('ascii', 'backslashreplace'))}'" if head else "it is empty"


def too_many_bytes(size: int, limit: int) -> PictureError:
    """The error of a file that is larger than `limit`; `size` bytes of it have been read or counted."""
    return PictureError(ErrorKind.TOO_MANY_BYTES, f"at least {size:,} bytes, the limit is {limit:,}")


def read(descriptor: int, size: int) -> bytes:
    """As `os.read`, but raises `PictureError` (unreadable)."""
    try:
        return os.read(descriptor, size)
    except OSError as error:
        raise PictureError(ErrorKind.UNREADABLE, error.strerror or str(error)) from error


def up_to(descriptor: int, most: int) -> bytes:
    """The rest of a small file, up to `most` bytes. Raises `PictureError`."""
    text = b""
    while len(text) < most and (more := read(descriptor, most - len(text))):
        text += more
    return text


def out_of_resources(error: OSError) -> SourceTrouble | None:
    """The error to raise when `error` means that this process lacks something; None where the picture is the cause."""
    if error.errno in _OUT_OF:
        return SourceTrouble(f"no room to read a picture: {error.strerror}; fewer threads would need less")
    return None


def memory_file() -> int:
    """A new, empty file in memory. Raises `SourceTrouble` where the system gives none."""
    try:
        return sealed.create("picture")
    except OSError as error:
        raise (out_of_resources(error) or _no_memory_file(error)) from error


def _no_memory_file(error: OSError) -> SourceTrouble:
    if error.errno == errno.EFBIG:
        return SourceTrouble("no room to read a picture: it is beyond this process's file-size limit (`ulimit -f`)")
    return SourceTrouble(f"no memory file: {error.strerror}")


def write(held: int, chunk: bytes | memoryview) -> None:
    """Write all of `chunk`: a signal may cut a write short. Raises `SourceTrouble`."""
    try:
        written = os.write(held, chunk)
        while written < len(chunk):
            written += os.write(held, memoryview(chunk)[written:])
    except OSError as error:
        raise (out_of_resources(error) or _no_memory_file(error)) from error
