"""Turns exceptions of decoders and encoders into `PictureError`s: on real files, libraries raise nearly anything."""

from __future__ import annotations

from PIL import Image

from pipeline.errors import LACKS, ErrorKind, PictureError
from pipeline.model.spec import Limits
from pipeline.render import memory
from pipeline.render.container.riff import webp_canvas
from pipeline.render.container.truncation import is_short
from pipeline.render.container.view import View

# Words in messages of Pillow and its libraries, searched in this order.
_WORDS: tuple[tuple[ErrorKind, tuple[str, ...]], ...] = (
    # Bounds of libheif's own, which it calls a failed allocation.
    (ErrorKind.TOO_MANY_PIXELS, ("security limit exceeded: image size",)),
    (ErrorKind.UNSUPPORTED, ("security limit",)),
    (
        ErrorKind.MEMORY_LIMIT,
        ("out of memory", "memory allocation", "not enough memory", "decompressed data too large", "too much memory"),
    ),
    (ErrorKind.TRUNCATED, ("truncated", "unexpected end", "not enough data", "ran out of data", "not large enough")),
    (
        ErrorKind.UNSUPPORTED,
        ("cannot handle", "unsupported", "not supported", "not implemented", "unknown compression"),
    ),
    (ErrorKind.UNSUPPORTED, ("unknown pixel mode", "unknown filter", "unknown mode", "unknown data organization")),
)


# Raised by programming mistakes. A library may raise them for bytes that it does not expect: that is the file's fault.
_MISTAKES = (AttributeError, NameError, AssertionError)
_OURS = "pipeline."
_VAGUE = (ErrorKind.DAMAGED, ErrorKind.TRUNCATED, ErrorKind.NOT_ENCODABLE)


def decode_failure(error: Exception, view: View, name: str) -> PictureError:
    """The `PictureError` for `error`, which decoding a picture of format `name` (as Pillow writes it) has raised.

    `view` tells a truncated file from a damaged one. An exception from this program's own code is an internal error.
    Callers let a `PictureError` pass as it is: raised from itself, it would keep the pixels in its traceback alive
    until the garbage collector comes.
    """
    if isinstance(error, (*_MISTAKES, TypeError)) and (defect := _in_our_own_code(error)):
        return defect
    return PictureError(
        _kind(error, view, name), f"{name}: {error}" if str(error) else f"{name}: {type(error).__name__}"
    )


def render_failure(error: Exception) -> PictureError:
    """The `PictureError` of a rendition for `error`, raised while its pixels were drawn or encoded.

    Decoded pixels are always valid input, so a programming mistake is an internal error wherever it was raised. A
    `TypeError` from a library is not: encoders refuse arguments with it.
    """
    if isinstance(error, PictureError):
        return error.with_traceback(None)  # through which the rendition that keeps it would keep itself
    if isinstance(error, OSError) and error.errno in LACKS:
        return PictureError(ErrorKind.UNREADABLE, str(error.strerror))
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, (*_MISTAKES, TypeError)) and (defect := _in_our_own_code(error)):
        return defect
    if isinstance(error, _MISTAKES):
        return PictureError(ErrorKind.INTERNAL, said)
    return PictureError(ErrorKind.MEMORY_LIMIT if isinstance(error, MemoryError) else ErrorKind.NOT_ENCODABLE, said)


def _in_our_own_code(error: Exception) -> PictureError | None:
    """An internal error with its place if `error` was raised in a module of this program; None: in a library."""
    trace = error.__traceback__
    if trace is None:
        return None
    while trace.tb_next is not None:
        trace = trace.tb_next
    module = str(trace.tb_frame.f_globals.get("__name__"))
    if not module.startswith(_OURS):
        return None
    return PictureError(ErrorKind.INTERNAL, f"{type(error).__name__}: {error} ({module}:{trace.tb_lineno})")


def blame_memory(error: PictureError, estimate: int, limits: Limits) -> PictureError:
    """`error` as `memory limit` if it is vague and `estimate` is above the limit, else unchanged.

    Many codecs only report that something failed. If they may need more memory than allowed, that is the likely cause.
    """
    if estimate > limits.memory and error.kind in _VAGUE:
        limit = f"{estimate / 2**20:.0f} MiB may be needed, the limit is {limits.memory / 2**20:.0f}"
        return PictureError(ErrorKind.MEMORY_LIMIT, f"{limit}; {error.detail}")
    return error


def _kind(error: Exception, view: View, name: str) -> ErrorKind:
    if isinstance(error, MemoryError):
        return ErrorKind.MEMORY_LIMIT
    if isinstance(error, Image.DecompressionBombError):
        return ErrorKind.TOO_MANY_PIXELS
    if isinstance(error, OSError) and error.errno in LACKS:
        return ErrorKind.UNREADABLE
    text = "not implemented" if isinstance(error, NotImplementedError) else str(error).lower()
    for kind, words in _WORDS:
        if any(word in text for word in words):
            return kind
    if is_short(view, name):
        return ErrorKind.TRUNCATED
    # libwebp allocates its canvas on opening, and does not say why that failed.
    return ErrorKind.DAMAGED if memory.is_there(webp_canvas(view)) else ErrorKind.MEMORY_LIMIT
