"""Whether a child starts, how it is confined, and which formats it writes and reads: tried, not looked up.

The rendering function is named, not imported: this layer is below it, and the main process never loads a decoder.
"""

from __future__ import annotations

import os
import struct
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import replace

from pipeline import extras
from pipeline.doctor.finding import Finding, fail, ok, warn
from pipeline.errors import PictureError, PipelineError
from pipeline.model.rendering import NotRendered, RenderAnswer, RenderTask
from pipeline.model.spec import Format, Limits, Spec
from pipeline.sources.magic import not_decoded
from pipeline.workers.child_pool import ChildPool
from pipeline.workers.exchange import Bounds, ChildDied, whole
from pipeline.workers.token import Token

_RENDER = "pipeline.render.line:render"
_WARM_UP = "pipeline.render.line:warm_up"
_SIDE = 16  # pixels


def children() -> Iterator[Finding]:
    """Start one child and give it a tiny picture for each format; a few tenths of a second."""
    with ChildPool(_RENDER, _WARM_UP, 1) as pool:
        try:
            confinement = pool.await_confinement(Token())
            if confinement.complete:
                yield ok("confinement", f"children are shut in by {confinement}")
            else:
                advice = "a newer kernel, or a container that allows it; decoders are less shut in meanwhile"
                yield warn("confinement", f"children are shut in by {confinement}", advice)
            yield from _codecs(pool)
        except PipelineError as error:
            yield fail("children", str(error), "see the line above it; `processes: 0` would do without")


def _codecs(pool: ChildPool) -> Iterator[Finding]:
    libraries = ""
    for picture_format in Format:
        what = f"codec {picture_format}"
        if picture_format.value in not_decoded():
            yield ok(what, f"cannot be had: {extras.missing(picture_format.value)}")
            continue
        try:
            encoded, libraries = _rendered(pool, _png(), _spec(picture_format))
            _rendered(pool, encoded, _spec(Format.PNG))
        except (PictureError, ChildDied) as error:
            yield fail(what, str(error), "reinstall Pillow from its wheel, which brings every codec")
        else:
            yield ok(what, "writes and reads")
    if libraries:
        yield ok("codecs", libraries)
    try:
        _rendered(pool, _png(), replace(_spec(Format.JPEG), optimize=True))
    except (PictureError, ChildDied) as error:
        yield ok("optimize", f"cannot be had: {error}")
    else:
        yield ok("optimize", "mozjpeg, through libvips")


def _spec(picture_format: Format) -> Spec:
    return Spec("doctor", width=_SIDE, format=picture_format)


def _rendered(pool: ChildPool, picture: bytes, spec: Spec) -> tuple[bytes, str]:
    """`picture` as `spec` says, and the libraries that were used. Raises `PictureError` and `ChildDied`."""
    limits = Limits()
    task = RenderTask((spec,), limits)
    with tempfile.TemporaryFile() as file:
        file.write(picture)
        file.flush()
        with pool.ask(whole(file.fileno()), task, Bounds(limits.seconds, limits.memory), Token()) as exchange:
            exchange.first()
            reply, _meter = exchange.last()
    try:
        answer = reply.payload
        if not isinstance(answer, RenderAnswer):
            raise ChildDied("an answer that is none")
        made = answer.renditions[0]
        if isinstance(made, NotRendered):
            raise made.error
        return os.pread(reply.descriptors[0], made.size, 0), answer.libraries
    finally:
        for descriptor in reply.descriptors:
            os.close(descriptor)


def _png() -> bytes:
    """A small gradient, made without the libraries that are tried."""
    rows = b"".join(b"\0" + bytes(16 * value for x in range(_SIDE) for value in (x, y, 8)) for y in range(_SIDE))
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
