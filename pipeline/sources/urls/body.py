"""The body of one answer, copied into sealed memory with every byte counted: what its headers promise is no limit."""

from __future__ import annotations

import hashlib
import http.client
import os
import zlib

from pipeline.errors import ErrorKind, PictureError
from pipeline.folder import CHUNK
from pipeline.sources import reading
from pipeline.sources.magic import HEAD
from pipeline.sources.reading import Copied
from pipeline.sources.source import Grown
from pipeline.workers import sealed

_PIECE = 2**16  # bytes asked for at once
_FACTOR = 16  # by which the room for an answer of unknown length grows


class Torn(Exception):
    """The connection ended before the body did."""


class Body:
    """What is read of it stays in memory while its caller gets more room. For one thread."""

    def __init__(self, answer: http.client.HTTPResponse, limit: int) -> None:
        """`limit`: bytes, of what is sent and of what that unpacks to. Raises `PictureError` and `SourceTrouble`."""
        self._answer = answer
        self._limit = limit
        self._inflate = _inflate(answer)
        length = answer.length if self._inflate is None else None
        if length is not None and length > limit:
            raise reading.too_many_bytes(length, limit)
        self._expected = length
        self._digest = hashlib.sha256()
        self._received = self._size = 0
        self.head = b""
        self._held: int | None = reading.memory_file()

    def rest(self, most: int) -> Copied:
        """Read to the end. Raises `Grown` where that would be more than `most` bytes, a few pieces aside.

        Also raises `Torn`, `OSError`, `HTTPException`, `PictureError` (too many bytes) and `SourceTrouble`.
        """
        if self._expected is not None and self._expected > most:
            raise Grown(self._expected)
        while piece := self._answer.read1(_PIECE):
            self._received += len(piece)
            self._count(self._received)
            self._write(piece)
            if self._size > most:
                raise Grown(min(max(_FACTOR * most, self._size), self._limit))
        if self._answer.length or (self._inflate is not None and not self._inflate.eof):
            raise Torn("it ended before it was whole")
        held = self._held
        if held is None:
            raise RuntimeError("a body is read once")
        self._held = None
        try:
            sealed.seal(held)
        except BaseException:
            os.close(held)
            raise
        return Copied(held, self._digest.digest(), self._size)

    def close(self) -> None:
        """Drop what was read. Idempotent."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _write(self, piece: bytes) -> None:
        if self._inflate is None:
            self._keep(piece)
            return
        while piece and not self._inflate.eof:
            try:
                self._keep(self._inflate.decompress(piece, CHUNK))
            except zlib.error:
                raise PictureError(ErrorKind.NOT_FETCHED, "what it sends is not packed as it says") from None
            piece = self._inflate.unconsumed_tail

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        self._count(self._size)
        if len(self.head) < HEAD:
            self.head += part[: HEAD - len(self.head)]
        self._digest.update(part)
        if self._held is not None:
            reading.write(self._held, part)

    def _count(self, size: int) -> None:
        if size > self._limit:
            raise reading.too_many_bytes(size, self._limit)


def _inflate(answer: http.client.HTTPResponse) -> zlib._Decompress | None:
    """What unpacks the body. Nothing packed is asked for; some servers pack all the same."""
    coding = (answer.headers.get("Content-Encoding") or "identity").strip().lower()
    if coding == "identity":
        return None
    if coding in ("gzip", "x-gzip", "deflate"):
        return zlib.decompressobj(zlib.MAX_WBITS | 32)
    raise PictureError(ErrorKind.NOT_FETCHED, "it is packed in a way that was not asked for")
