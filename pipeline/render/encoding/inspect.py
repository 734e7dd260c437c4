"""Inspects a picture file from its bytes alone, whether this program wrote it or another one did."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator

from pipeline.errors import PictureError
from pipeline.model.rendering import Inspection
from pipeline.model.spec import Private
from pipeline.render import memory
from pipeline.render.metadata.private import private_in
from pipeline.render.opening.failures import decode_failure
from pipeline.render.opening.metadata import read_blocks
from pipeline.render.opening.pages import count, further, name_of
from pipeline.render.opening.source import Source, opening
from pipeline.workers.exchange import Held, Reply, whole


def inspect(content: int | bytes, *, decode: bool = False) -> Inspection:
    """Format, size, mode, frames, profile and private metadata of a picture, given as a descriptor or as bytes.

    Private is what any picture in an MPO says. Every frame and every picture is decoded if `decode` is set. The caller
    keeps the descriptor, which is rewound. Raises PictureError if the content is not a whole picture. Runs in any
    thread; the content must not change meanwhile.
    """
    if isinstance(content, int):
        try:
            return _inspect(content, decode)
        finally:
            os.lseek(content, 0, os.SEEK_SET)  # the next reader starts at the beginning
    descriptor = memory.create()
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        return _inspect(descriptor, decode)
    finally:
        os.close(descriptor)


def private_things(held: Held, request: object) -> Generator[Reply, None, None]:
    """Yields the kinds of private metadata in the picture `held`, as a tuple of `Private`, without decoding.

    A `pipeline.workers.exchange.Function`. It ignores `request` and needs no more memory than the file.
    """
    del request
    yield Reply(None)
    with opening(held) as source:
        kinds = _private(source)
    yield Reply(kinds)


def _inspect(descriptor: int, decode: bool) -> Inspection:
    with opening(whole(descriptor)) as source:
        frames = count(source, sys.maxsize) if source.animated else 1
        width, height = source.image.size
        mode = source.image.mode
        has_profile = bool(source.image.info.get("icc_profile"))  # before libjxl makes one for each JPEG XL
        if decode:
            _decode(source, frames)
            for picture in further(source):
                _decode(picture, 1)
        return Inspection(
            format=name_of(source),
            width=width,
            height=height,
            mode=mode,
            bits=source.bits,
            frames=frames,
            has_profile=has_profile,
            private=_private(source),
        )


def _private(source: Source) -> tuple[Private, ...]:
    """The kinds of private metadata in all pictures of the file, in canonical order."""
    kinds = {*private_in(read_blocks(source))}
    for picture in further(source):
        kinds |= {*private_in(read_blocks(picture))}
    return tuple(kind for kind in Private if kind in kinds)


def _decode(source: Source, frames: int) -> None:
    try:
        for number in range(frames):
            if frames > 1:
                source.image.seek(number)
            source.image.load()
    except PictureError:
        raise
    except Exception as error:
        raise decode_failure(error, source.view, source.format) from error
