"""What a decoder's exception says about the picture. Decoders raise nearly anything on real files; this names it."""

from __future__ import annotations

import errno
import mmap

from PIL import Image

from pipeline.errors import ErrorKind, PictureError
from pipeline.render import container

# Words of Pillow's and its libraries' messages, looked for in this order.
_WORDS: tuple[tuple[ErrorKind, tuple[str, ...]], ...] = (
    (ErrorKind.MEMORY_LIMIT, ("out of memory", "memory allocation", "not enough memory")),
    (ErrorKind.TRUNCATED, ("truncated", "unexpected end", "not enough data", "ran out of data", "not large enough")),
    (
        ErrorKind.UNSUPPORTED,
        ("cannot handle", "unsupported", "not supported", "not implemented", "unknown compression"),
    ),
    (ErrorKind.UNSUPPORTED, ("unknown pixel mode", "unknown filter", "unknown mode", "unknown data organization")),
)


def verdict(error: Exception, view: mmap.mmap, name: str) -> PictureError:
    """The `PictureError` that `error`, raised while decoding a picture of format `name`, amounts to."""
    if isinstance(error, PictureError):
        return error
    return PictureError(
        _kind(error, view, name), f"{name}: {error}" if str(error) else f"{name}: {type(error).__name__}"
    )


def _kind(error: Exception, view: mmap.mmap, name: str) -> ErrorKind:
    if isinstance(error, MemoryError):
        return ErrorKind.MEMORY_LIMIT
    if isinstance(error, Image.DecompressionBombError):
        return ErrorKind.TOO_MANY_PIXELS
    if isinstance(error, NotImplementedError):
        return ErrorKind.UNSUPPORTED
    if isinstance(error, OSError) and error.errno == errno.EIO:
        return ErrorKind.UNREADABLE
    text = str(error).lower()
    for kind, words in _WORDS:
        if any(word in text for word in words):
            return kind
    return ErrorKind.TRUNCATED if container.is_short(view, name) else ErrorKind.DAMAGED
