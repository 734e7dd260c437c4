"""Which picture of a file that holds several is meant: pages of a TIFF, pictures of an MPO, sizes of an icon, frames.

Pages are numbered from 0 in the order of the file, those of an icon from the largest down.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.spec import LARGEST, Spec
from pipeline.render.container.gif import gif_frames
from pipeline.render.container.tiff import page_count
from pipeline.render.formats.animation import cut_off
from pipeline.render.formats.jpeg import Jpeg
from pipeline.render.metadata import exif
from pipeline.render.opening.failures import decode_failure
from pipeline.render.opening.source import Source

_INDEX = 0xB002  # of an MPO: 16 bytes a picture
_WHOLE_PICTURES = (0x03, 0x02)  # primary ones, and those of a panorama or a stereo pair; not previews and gain maps
_LOOKED_THROUGH = 100  # pages whose sizes are read to find the largest


def name_of(source: Source) -> str:
    """The format in lower case; a JPEG that holds several pictures is an `mpo`."""
    several = source.format == "JPEG" and "mp" in source.image.info
    return "mpo" if several else source.format.lower()


def count(source: Source, most: int) -> int:
    """How many pages (or frames) `source` has, counted no further than `most` + 1; of a GIF that is cut off, the whole
    ones. Raises PictureError where there is none; Pillow would parse every frame of a GIF, however many.
    """
    match source.format:
        case "GIF":
            frames, short = gif_frames(source.view, most)
            if short and not frames:
                raise cut_off("GIF", 0)
            return max(1, frames)
        case "TIFF":
            return page_count(source.view, most)
        case "JPEG":
            found = len(_pictures(source))
        case _:
            found = int(getattr(source.image, "n_frames", 1))
    return min(max(1, found), most + 1)


def by_page(specs: Iterable[Spec], pages: int) -> list[tuple[int | None, tuple[Spec, ...]]]:
    """`specs` by the page that they are made of; None, which is what a viewer shows, first.

    The only page of a file is what a viewer shows: it is decoded once, and a JPEG could not be shrunk on load again.
    """
    found: dict[int | None, list[Spec]] = {}
    for spec in specs:
        page = None if pages == 1 and spec.page in (0, LARGEST) else spec.page
        found.setdefault(page, []).append(spec)
    return [(page, tuple(found[page])) for page in sorted(found, key=lambda page: (page is not None, page or 0))]


@contextmanager
def turned_to(source: Source, page: int | None, pages: int) -> Iterator[Source]:
    """`source` at one of its `pages`, and back where it was afterwards; one at a time.

    Raises PictureError (`not encodable`, because it is the spec that does not fit) where there is no such page.
    """
    if page is None:
        yield source
        return
    if page == LARGEST:
        page = _largest(source, pages)
    if page >= pages:
        raise PictureError(ErrorKind.NOT_ENCODABLE, f"page {page} is asked for, and the last one is {pages - 1}")
    if source.format == "JPEG":
        with _picture(source, _pictures(source)[page]) as one:
            yield one
        return
    before = source.image.tell()
    _seek(source, page)
    try:
        yield source
    finally:
        _seek(source, before)


def _seek(source: Source, page: int) -> None:
    try:
        source.image.seek(page)
    except Exception as error:
        raise decode_failure(error, source.view, source.format) from error


def _largest(source: Source, pages: int) -> int:
    if source.animated:
        return 0  # frames are of one size
    areas = []
    for page in range(min(pages, _LOOKED_THROUGH)):
        with turned_to(source, page, pages) as one:
            areas.append(one.image.width * one.image.height)
    return areas.index(max(areas))


def _pictures(source: Source) -> list[tuple[int, int]]:
    """Where the whole pictures of an MPO start and how long they are. Nothing of a JPEG that is none."""
    block, base = source.image.info.get("mp"), source.image.info.get("mpoffset")
    if not isinstance(block, bytes) or not isinstance(base, int):
        return []
    try:
        entry = exif.read_main(block, (_INDEX,)).get(_INDEX)
    except (struct.error, ValueError):
        return []
    order = "<" if block.startswith(b"II") else ">"
    found = []
    for at in range(0, len(entry.value) - 15 if entry else 0, 16):
        kind, size, offset = struct.unpack_from(order + "LLL", entry.value, at) if entry else (0, 0, 0)
        start = offset + base if offset else 0
        if (kind >> 16 & 0xFF) in _WHOLE_PICTURES and size and start < len(source.view):
            found.append((start, min(size, len(source.view) - start)))  # not all writers count the last one right
    return found


@contextmanager
def _picture(source: Source, place: tuple[int, int]) -> Iterator[Source]:
    content = source.view[place[0] : place[0] + place[1]]
    try:
        image = Jpeg(io.BytesIO(content))
    except Exception as error:
        raise decode_failure(error, content, "JPEG") from error
    with image:
        yield replace(source, image=image, view=content)
