"""The bounds of a child's answer: every number, text and file in it, checked before anything uses it.

A picture may have taken over the child that decodes it, so an answer counts only if it can be true of the request: its
renditions and limits, the bytes sent, the time that has passed. An answer beyond that ends its child (see `Misbehaved`)
and fails its picture. Takes 10 us for a picture with one rendition.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.errors import OF_RENDERING, ErrorKind, PictureError
from pipeline.model.record import Shown, Status
from pipeline.model.rendering import NotRendered, RenderAnswer, Rendered, RenderTask
from pipeline.model.source import Header
from pipeline.model.spec import ANIMATED, AS_SOURCE, Similarity, Spec
from pipeline.render.geometry.fit import most_pixels
from pipeline.sources import magic
from pipeline.workers.exchange import Misbehaved, Reply

_NAME = re.compile(r"[A-Za-z0-9;_]{1,16}")  # of a format or a mode, as Pillow has them
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_THUMBHASH = range(5, 26)  # bytes
_ORIENTATIONS = range(1, 9)
_TEXT = 1_000  # characters of a warning, or of the names and versions of all libraries
_WARNINGS = 100  # of one picture or rendition
_WORST = 10_000  # below which no SSIMULACRA 2 can be; that of a negative is about -1,000
_PIXEL = 6  # bytes: four channels of a byte, and half as much again for an encoder that makes noise larger
_DEEP_PIXEL = 12  # the same of two bytes
_AROUND = 2**20  # bytes of a file that are no pixels; profiles and metadata of the source may come on top of it


@dataclass(frozen=True, slots=True)
class Asked:
    """A request about one picture of `size` bytes, and its time. `most`: bytes that the work may need."""

    task: RenderTask
    size: int
    most: int
    since: float = field(default_factory=time.perf_counter)

    def header(self, said: object) -> Header:
        """The header that the child reports. Raises `Misbehaved` if it cannot be true."""
        limits = self.task.limits
        if not isinstance(said, Header):
            raise Misbehaved("no header")
        if not (said.width > 0 < said.height and said.width * said.height <= limits.pixels):
            raise Misbehaved(f"a picture of {said.width} x {said.height} pixels")
        if not 0 < said.frames <= limits.frames + 1:
            raise Misbehaved(f"{said.frames} frames")
        if said.estimate < 0:
            raise Misbehaved(f"{said.estimate} bytes needed")
        if not _NAME.fullmatch(said.format) or not _NAME.fullmatch(said.mode):
            raise Misbehaved("a format or mode that is none")
        return said

    def need(self, header: Header) -> int:
        """Bytes to reserve: the estimate, but no more than the child may use."""
        return min(header.estimate, self.most)

    def answer(self, reply: Reply) -> RenderAnswer:
        """The child's answer. Raises `Misbehaved` if it cannot be true, and closes the descriptors then."""
        try:
            return self._answer(reply)
        except BaseException:
            for descriptor in reply.descriptors:
                os.close(descriptor)
            raise

    def outside(self, answer: RenderAnswer) -> str:
        """Why the picture is left out, by its header; see `Only.outside`."""
        if self.task.only is None or answer.upright is None:
            return ""
        return self.task.only.outside(answer.header.format, *answer.upright)

    def _answer(self, reply: Reply) -> RenderAnswer:
        answer, descriptors = reply
        if not isinstance(answer, RenderAnswer):
            raise Misbehaved("no answer")
        header = self.header(answer.header)
        passed = time.perf_counter() - self.since
        specs, made = () if self.outside(answer) else self.task.specs, answer.renditions
        if [rendition.name for rendition in made] != [spec.name for spec in specs]:
            raise Misbehaved("renditions that were not asked for")
        _check_seconds(answer.seconds_decode, passed)
        _check_texts(answer.warnings)
        _check_texts((answer.libraries,))
        self._check_placeholder(answer)
        rendered = [
            (spec, rendition)
            for spec, rendition in zip(specs, made, strict=True)
            if not isinstance(rendition, NotRendered)
        ]
        if sorted(rendition.index for _, rendition in rendered) != list(range(len(descriptors))):
            raise Misbehaved(f"{len(descriptors)} files for {len(rendered)} renditions")
        if any(rendition.error.kind not in OF_RENDERING for rendition in made if isinstance(rendition, NotRendered)):
            raise Misbehaved("an error that is not of rendering")
        total = 0
        for spec, rendition in rendered:
            _check_seconds(rendition.seconds_resize, passed)
            _check_seconds(rendition.seconds_encode, passed)
            _check_texts(rendition.warnings)
            self._check_rendition(spec, rendition, header)
            _check_file(descriptors[rendition.index], rendition)
            total += rendition.size
        if total > self.need(header) + len(rendered) * (_AROUND + self.size):
            raise Misbehaved(f"{total:,} bytes of renditions")
        return answer

    def _check_placeholder(self, answer: RenderAnswer) -> None:
        color, thumbhash, upright = answer.color, answer.thumbhash, answer.upright
        if (color is not None or thumbhash is not None) and not self.task.placeholder:
            raise Misbehaved("a placeholder that was not asked for")
        if color is not None and not _COLOUR.fullmatch(color):
            raise Misbehaved("a colour that is none")
        if thumbhash is not None and len(thumbhash) not in _THUMBHASH:
            raise Misbehaved(f"a ThumbHash of {len(thumbhash)} bytes")
        if upright is not None and not (min(upright) > 0 and upright[0] * upright[1] <= self.task.limits.pixels):
            raise Misbehaved(f"a picture of {upright[0]} x {upright[1]} pixels")
        if answer.orientation is not None and answer.orientation not in _ORIENTATIONS:
            raise Misbehaved(f"the orientation {answer.orientation}")

    def _check_rendition(self, spec: Spec, rendition: Rendered, header: Header) -> None:
        if spec.page is None:
            most = most_pixels((header.width, header.height), spec)
        else:  # pages have sizes of their own
            most = most_pixels((self.task.limits.pixels, 1), spec)
        if not (rendition.width > 0 < rendition.height and rendition.width * rendition.height <= most):
            raise Misbehaved(f"a rendition of {rendition.width} x {rendition.height} pixels")
        if rendition.format is not spec.format:
            raise Misbehaved(f"{rendition.format} for {spec.format}")
        if rendition.status not in self._possible(spec):
            raise Misbehaved(f"the status {rendition.status}")
        sought = isinstance(spec.quality, Similarity)
        searched = sought or spec.max_bytes is not None
        if rendition.quality is not None and not (searched and 1 <= rendition.quality <= 100):
            raise Misbehaved(f"the quality {rendition.quality}")
        if rendition.score is not None and not (sought and -_WORST <= rendition.score <= 100):
            raise Misbehaved(f"the score {rendition.score}")
        if rendition.shown is not None:
            self._check_shown(spec, rendition, rendition.shown)
        frames = header.frames if spec.format in ANIMATED else 1
        pixel = _DEEP_PIXEL if spec.depth == AS_SOURCE else _PIXEL
        if rendition.size > rendition.width * rendition.height * frames * pixel + _AROUND + self.size:
            raise Misbehaved(f"{rendition.size:,} bytes for {rendition.width} x {rendition.height} pixels")

    def _possible(self, spec: Spec) -> tuple[Status, ...]:
        """The statuses that a rendition can have."""
        kept = (Status.KEPT,) if spec.keep_smaller else ()
        damaged = (Status.DAMAGED,) if self.task.limits.truncated else ()
        return (Status.DONE, *kept, *damaged)

    def _check_shown(self, spec: Spec, rendition: Rendered, shown: Shown) -> None:
        left, top, width, height = shown.box
        if not (min(left, top) >= 0 and min(width, height) > 0 and max(shown.box) <= self.task.limits.pixels):
            raise Misbehaved("a part of the picture that is none")
        if shown.turn != spec.rotate:
            raise Misbehaved(f"a turn by {shown.turn}")
        x, y, across, down = shown.place
        inside = min(x, y) >= 0 and x + across <= rendition.width and y + down <= rendition.height
        if not (inside and min(across, down) > 0):
            raise Misbehaved("a place outside of the rendition")


def answers(several: Sequence[Asked], replies: Sequence[Reply | None]) -> list[RenderAnswer | PictureError | None]:
    """The child's answer to each request, or its error; None where it gave no answer.

    Raises `Misbehaved` if any answer cannot be true: any of the pictures may be the cause, so none is believed. The
    descriptors of all are closed then.
    """
    believed: list[RenderAnswer | PictureError | None] = []
    try:
        for asked, reply in zip(several, replies, strict=True):
            error = _error(reply)
            believed.append(error if error or reply is None else asked.answer(reply))
    except BaseException:
        rest = [*replies[: len(believed)], *replies[len(believed) + 1 :]]
        for descriptor in (descriptor for reply in rest if reply is not None for descriptor in reply.descriptors):
            os.close(descriptor)
        raise
    return believed


def _error(reply: Reply | None) -> PictureError | None:
    if reply is None or not isinstance(reply.payload, PictureError) or reply.descriptors:
        return None
    if reply.payload.kind not in OF_RENDERING:
        raise Misbehaved(f"the error {reply.payload.kind}")
    return reply.payload


def _check_seconds(seconds: float, passed: float) -> None:
    if not 0 <= seconds <= passed:
        raise Misbehaved(f"{seconds:g} seconds of {passed:g}")


def _check_texts(texts: tuple[str, ...]) -> None:
    if len(texts) > _WARNINGS or any(len(text) > _TEXT for text in texts):
        raise Misbehaved("texts without end")


def _check_file(descriptor: int, rendition: Rendered) -> None:
    """Raise `Misbehaved` unless the file has the reported size and format. Its content is never decoded here."""
    if os.fstat(descriptor).st_size != rendition.size:
        raise Misbehaved("a file of another size")
    if magic.sniff(os.pread(descriptor, magic.HEAD, 0)) != rendition.format:
        raise Misbehaved(f"a file that is no {rendition.format}")


def lacked_memory(answer: RenderAnswer) -> bool:
    """Whether a rendition ran out of memory, which other pictures of its batch may have used."""
    return any(
        isinstance(rendition, NotRendered) and rendition.error.kind is ErrorKind.MEMORY_LIMIT
        for rendition in answer.renditions
    )
