"""A renderer that a picture takes over: what stands behind `EVIL:` at the end of the picture's bytes is what it does.

Named as the function of a run's children, it renders all other pictures as ever. `LIES` change the honest answer;
`DEEDS` do something else. To be imported by children, and by what sends them their pictures.
"""

from __future__ import annotations

import fcntl
import gc
import os
import resource
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.record import Shown, Status
from pipeline.model.rendering import NotRendered, RenderAnswer, Rendered, RenderTask
from pipeline.model.source import Header
from pipeline.render.line import render
from pipeline.workers.exchange import Held, Reply

MARK = b"EVIL:"
_FAR = 2**62


def taken_over(picture: bytes, what: str) -> bytes:
    """`picture`, which makes a child do `what`. Decoders ignore what comes after its end."""
    return picture + MARK + what.encode()


def evil(held: Held, task: RenderTask) -> Iterator[Reply]:
    """A `pipeline.workers.exchange.Function`."""
    content = os.pread(held.descriptor, held.size, 0)
    what = content.rpartition(MARK)[2].decode() if MARK in content else ""
    if what in DEEDS:
        DEEDS[what]()
    for reply in render(held, task):
        match reply.payload:
            case Header() as header:
                yield Reply(_changed(header, _HEADERS.get(what, {})))
            case RenderAnswer() as answer:
                yield _lied(what, answer, reply.descriptors)


def _changed(value: Any, fields: dict[str, object]) -> Any:
    """`value` with other fields, whatever they are declared to be."""
    return replace(value, **fields)


def _lied(what: str, answer: RenderAnswer, descriptors: tuple[int, ...]) -> Reply:
    header = _changed(answer.header, _HEADERS.get(what, {}))
    first = answer.renditions[0]
    if isinstance(first, Rendered) and what in _FILES:
        descriptors = tuple(_FILES[what](descriptor) for descriptor in descriptors)
        first = replace(first, size=os.fstat(descriptors[0]).st_size)
    if what in _ERRORS:
        first, descriptors = NotRendered(first.name, _ERRORS[what]), descriptors[1:]
    first = _changed(first, _RENDITIONS.get(what, {}))
    answer = replace(answer, header=header, renditions=(first, *answer.renditions[1:]))
    if what == "more files":
        descriptors += (descriptors[0],)
    if what == "one rendition more":
        answer = replace(answer, renditions=(*answer.renditions, first))
    return Reply(_changed(answer, _ANSWERS.get(what, {})), descriptors)


_HEADERS: dict[str, dict[str, object]] = {
    "no width": {"width": 0},
    "a negative height": {"height": -5},
    "more pixels than the limit": {"width": 2**31, "height": 2**31},
    "no frames": {"frames": 0},
    "frames without end": {"frames": _FAR},
    "a negative estimate": {"estimate": -_FAR},
    "an estimate beyond all memory": {"estimate": _FAR},
    "markup as a format": {"format": "<script>"},
    "markup as a mode": {"mode": '"><b>'},
}
_ANSWERS: dict[str, dict[str, object]] = {
    "an orientation that is none": {"orientation": 9},
    "decoding for ever": {"seconds_decode": 1e308},
    "decoding backwards": {"seconds_decode": -1.0},
    "markup as a colour": {"color": '"><script>alert(1)</script>', "thumbhash": b"x" * 20},
    "a long hash": {"thumbhash": b"x" * 5000},
    "many warnings": {"warnings": ("x",) * 20_000},
    "a long warning": {"warnings": ("x" * 500_000,)},
    "long libraries": {"libraries": "x" * 500_000},
    "nothing upright": {"upright": (0, 0)},
    "renditions of nothing": {"renditions": ()},
}
_RENDITIONS: dict[str, dict[str, object]] = {
    "encoding for ever": {"seconds_encode": 1e308},
    "resizing for ever": {"seconds_resize": 1e300},
    "another name": {"name": "other"},
    "another index": {"index": 7},
    "another size": {"size": 12},
    "a width beyond the box": {"width": 60_000},
    "a negative width": {"width": -1},
    "a height without end": {"height": _FAR},
    "another status": {"status": Status.TOUCHED},
    "kept": {"status": Status.KEPT},
    "another quality": {"quality": _FAR},
    "a score that was not sought": {"score": 80.0},
    "a part of nothing": {"shown": Shown((-1.0, 0.0, 5.0, 5.0), 0, (0, 0, 1, 1))},
    "a part without end": {"shown": Shown((0.0, 0.0, 1e300, 5.0), 0, (0, 0, 1, 1))},
    "another turn": {"shown": Shown((0.0, 0.0, 5.0, 5.0), 90, (0, 0, 1, 1))},
    "a place beyond the rendition": {"shown": Shown((0.0, 0.0, 5.0, 5.0), 0, (0, 0, 1, 60_000))},
    "many warnings of a rendition": {"warnings": ("x",) * 20_000},
}
_ERRORS = {
    "not ours": PictureError(ErrorKind.NOT_OURS, "a file of somebody else"),
    "collided": PictureError(ErrorKind.COLLISION),
}


def _made(size: int, head: bytes = b"") -> int:
    _unlimited()
    made = os.memfd_create("made", os.MFD_ALLOW_SEALING)
    os.write(made, head)
    os.ftruncate(made, size)
    fcntl.fcntl(made, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
    return made


_FILES: dict[str, Callable[[int], int]] = {
    "zeros": lambda descriptor: _made(2 * 2**20),
    "an empty file": lambda descriptor: _made(0),
    "markup as a file": lambda descriptor: _made(5000, b"<html><script>alert(1)</script>"),
    "half a gibibyte": lambda descriptor: _made(2**29, os.pread(descriptor, 64, 0)),
    "a pipe": lambda descriptor: os.pipe()[0],
}


def _unlimited() -> None:
    for which in (resource.RLIMIT_DATA, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
        hard = resource.getrlimit(which)[1]
        resource.setrlimit(which, (hard, hard))


def _socket() -> socket.socket:
    """The one to the parent."""
    return next(object_ for object_ in gc.get_objects() if isinstance(object_, socket.socket) and object_.fileno() >= 0)


def _many_descriptors() -> None:
    socket.send_fds(_socket(), [struct.pack("!II", 11, 251)], [0] * 251)
    _socket().sendall(b"[null,null]")
    time.sleep(3600)


def _wrong_error() -> None:
    raise PictureError(ErrorKind.NOT_OURS, "a file of somebody else")


DEEDS: dict[str, Callable[[], None]] = {
    "many descriptors": _many_descriptors,
    "an error of others": _wrong_error,
}
HARMLESS = ("an estimate beyond all memory",)  # no lie: estimates are counted up to what a child may take
LIES = sorted({*_HEADERS, *_ANSWERS, *_RENDITIONS, *_ERRORS, *_FILES, "more files", "one rendition more"} - {*HARMLESS})
