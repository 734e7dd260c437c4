"""What a file is, looked at from outside: the same questions to a picture of ours and to anyone else's."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator

from pipeline.model.rendering import Inspection
from pipeline.render import memory
from pipeline.render.metadata.private import found_in
from pipeline.render.opening.failures import decode_failure
from pipeline.render.opening.metadata import read_blocks
from pipeline.render.opening.pages import count, name_of
from pipeline.render.opening.source import Source, opening
from pipeline.workers.exchange import Held, Reply, whole


def inspect(content: int | bytes, *, decode: bool = False) -> Inspection:
    """What the picture in a descriptor (which stays the caller's, rewound) or in `content` turns out to be.

    Opens it, and with `decode` decodes every frame; a PNG's metadata may come after its pixels and is found without.
    Raises PictureError where it is no picture, or not a whole one. Runs in any thread; the content must not change.
    """
    if isinstance(content, int):
        try:
            return _inspect(content, decode)
        finally:
            os.lseek(content, 0, os.SEEK_SET)  # as it came: whoever reads it next starts there
    descriptor = memory.create()
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        return _inspect(descriptor, decode)
    finally:
        os.close(descriptor)


def private_things(held: Held, request: object) -> Generator[Reply, None, None]:
    """Which `Private` things the picture that is `held` says of itself, as a tuple; nothing is decoded. A
    `pipeline.workers.exchange.Function` that needs no more memory than the file, and nothing of `request`.
    """
    del request
    yield Reply(None)
    with opening(held) as source:
        found = found_in(read_blocks(source))
    yield Reply(found)


def _inspect(descriptor: int, decode: bool) -> Inspection:
    with opening(whole(descriptor)) as source:
        frames = count(source, sys.maxsize) if source.animated else 1
        width, height = source.image.size
        mode = source.image.mode
        if decode:
            _decode(source, frames)
        found = read_blocks(source)
        return Inspection(
            format=name_of(source),
            width=width,
            height=height,
            mode=mode,
            frames=frames,
            has_profile=bool(source.image.info.get("icc_profile")),
            private=found_in(found),
        )


def _decode(source: Source, frames: int) -> None:
    try:
        for number in range(frames):
            if frames > 1:
                source.image.seek(number)
            source.image.load()
    except Exception as error:
        raise decode_failure(error, source.view, source.format) from error
