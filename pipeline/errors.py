"""The exceptions, and the exit statuses that they lead to.

There are two families. A `PictureError` is a problem of one source or one rendition: it becomes a record, and the run
goes on. A `PipelineError` ends the program: its `status` is the exit status, and its text is the one or two lines that
the user reads. Both can be pickled: they travel between threads and processes.
"""

from __future__ import annotations

import enum
import errno
import re

# Errors of system calls that lack a resource. The picture in hand is not to blame, and may work next time.
LACKS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.EIO})


class ExitStatus(enum.IntEnum):
    """The exit statuses of every command; documented in the README."""

    OK = 0
    FAILED = 1  # finished, and some pictures newly failed
    USAGE = 2  # usage or config error; nothing was touched
    UNFINISHED = 3  # could not finish: disk full, target not writable, manifest unusable, a defect
    TIME_UP = 4  # stopped at the time limit; work remains
    LOCKED = 75  # another run holds the lock
    HANGUP = 129
    INTERRUPTED = 130
    TERMINATED = 143


SIGNALS = frozenset({ExitStatus.HANGUP, ExitStatus.INTERRUPTED, ExitStatus.TERMINATED})  # how a stopped run ends


class ErrorKind(enum.StrEnum):
    """Why a picture failed. The list is closed: manifests hold these words for years."""

    COLLISION = "collision"  # two sources would make one target
    NOT_OURS = "not ours"  # a file that this config did not make is in the way
    BAD_NAME = "bad name"  # the target's name is too long, or a folder or link stands in its place
    BAD_SIDECAR = "bad sidecar"
    UNREADABLE = "unreadable"  # the operating system refused to read the source, to list the folder or to process it
    READ_TIMED_OUT = "read timed out"
    CHANGED = "changed while read"
    TOO_MANY_BYTES = "too many bytes"
    NOT_FETCHED = "not fetched"  # a URL: its server says no, or there is none
    ADDRESS_REFUSED = "address refused"  # a URL leads to an address that is not on the public internet
    NOT_A_PICTURE = "not a picture"
    UNSUPPORTED = "unsupported"  # a picture in a form this installation cannot decode
    TRUNCATED = "truncated"
    DAMAGED = "damaged"  # the decoder refused it
    TOO_MANY_PIXELS = "too many pixels"
    TOO_MANY_FRAMES = "too many frames"
    TOO_MANY_SCANS = "too many scans"
    TIME_LIMIT = "time limit"
    MEMORY_LIMIT = "memory limit"
    CRASHED = "crashed"  # the child died, twice, or sent an invalid answer
    NOT_ENCODABLE = "not encodable"  # the encoder refused this rendition
    INTERNAL = "internal error"  # a defect of this program, met while rendering this picture


OF_RENDERING = frozenset(
    {
        ErrorKind.UNREADABLE,
        ErrorKind.NOT_A_PICTURE,
        ErrorKind.UNSUPPORTED,
        ErrorKind.TRUNCATED,
        ErrorKind.DAMAGED,
        ErrorKind.TOO_MANY_BYTES,  # of a profile or texts, inflated
        ErrorKind.TOO_MANY_PIXELS,
        ErrorKind.TOO_MANY_FRAMES,
        ErrorKind.TOO_MANY_SCANS,
        ErrorKind.MEMORY_LIMIT,
        ErrorKind.NOT_ENCODABLE,
        ErrorKind.INTERNAL,
    }
)
"""The kinds that a child may report. Only the main process reports the others."""

# Where one URL of a chain ends and the next begins. A password may hold two colons, too.
_NEXT = re.compile(r"::(?=/|[a-z0-9+.-]+(?:://|::)|$)")
# Behind a scheme, as far as the last @: a password may hold one, too. Digits and a slash are a port.
_PASSWORD = re.compile(r"[^/?#@:]*:(?!\d+(?:/|$)).*@", re.DOTALL)
_USER = re.compile(r"[^/?#]*@")
_NO_PASSWORDS = frozenset({"github", "git"})  # fsspec's: github://owner:repository@branch/path


def has_password(url: str) -> bool:
    """Whether a URL has one, or any of a chain as fsspec writes it (`zip://photos::sftp://host/photos.zip`)."""
    links = (link.partition("://") for link in _NEXT.split(url))
    return any(scheme not in _NO_PASSWORDS and _PASSWORD.match(rest) for scheme, _, rest in links)


def without_secrets(text: str) -> str:
    """`text`; if it is a URL or a chain of them, without what may be secret: passwords, queries (which hold signatures)
    and, because tokens are given so, users of web servers.
    """
    return "::".join(map(_without_secrets, _NEXT.split(text))) if "://" in text else text


def _without_secrets(link: str) -> str:
    scheme, mark, rest = link.partition("://")
    if not mark:
        return link
    secret = _PASSWORD if has_password(link) else _USER
    if secret is _PASSWORD or scheme.lower() in ("http", "https"):
        rest = secret.sub("...@", rest, count=1) if secret.match(rest) else rest
    place, query, _ = rest.partition("?")
    return f"{scheme}://{place}{'?...' if query else ''}"


_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def printable(text: str) -> str:
    """`text` on one line, with control characters and undecodable bytes escaped: safe for terminals, logs and mail."""
    return "".join(
        char
        if char.isprintable()
        else f"\\x{ord(char) - 0xDC00:02x}"
        if 0xDC80 <= ord(char) <= 0xDCFF  # how os.fsdecode carries an undecodable byte
        else _SHORT.get(char) or _escaped(ord(char))
        for char in text
    )


def _escaped(number: int) -> str:
    """As Python's `unicode_escape` does it. That codec is a file of its own, which a confined child could not load."""
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


class PictureError(Exception):
    """A picture or one of its renditions failed. `kind` is from the closed list, `detail` a short escaped text."""

    def __init__(self, kind: ErrorKind, detail: str = "") -> None:
        self.kind = kind
        self.detail = printable(detail)[:300]
        super().__init__(kind, self.detail)  # args mirror __init__, so that the exception pickles

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}" if self.detail else str(self.kind)


class PipelineError(Exception):
    """Ends the program with `status`. The text is one or two lines: what happened, where, and what to do."""

    status = ExitStatus.UNFINISHED


class ConfigError(PipelineError):
    """The config is wrong. The text lists every problem, one a line, as `file:line:column: key.path: what`."""

    status = ExitStatus.USAGE


class UsageError(PipelineError):
    """The command line requests something impossible."""

    status = ExitStatus.USAGE


class SourceTrouble(PipelineError):
    """The source as a whole cannot be used (missing, or empty although the manifest knows pictures)."""


class TargetTrouble(PipelineError):
    """The target as a whole cannot be used: disk full, read-only, no permission. Jobs stay pending."""


class ManifestTrouble(PipelineError):
    """The manifest cannot be used."""


class Locked(PipelineError):
    """Another run holds the lock of this target."""

    status = ExitStatus.LOCKED


class Stopped(PipelineError):
    """A signal or the time limit ended the run cleanly. `status` is the matching exit status."""

    def __init__(self, text: str, status: ExitStatus) -> None:
        super().__init__(text, status)
        self.status = status

    def __str__(self) -> str:
        return str(self.args[0])
