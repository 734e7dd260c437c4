"""Selects a picture of a file that holds several: pages of a TIFF, pictures of an MPO, sizes of an icon, frames.

Pages are numbered from 0 in the order of the file, and those of an icon from the largest down.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.spec import LARGEST, Spec
from pipeline.render.container.gif import gif_frames
from pipeline.render.container.tiff import page_count
from pipeline.render.formats.animation import cut_off
from pipeline.render.formats.gain_map import MOST_PICTURES
from pipeline.render.formats.jpeg import Jpeg, pictures_in
from pipeline.render.opening.failures import decode_failure
from pipeline.render.opening.source import Source

_WHOLE_PICTURES = (
    0x03,
    0x02,
)  # types of primary pictures and of parts of a panorama or stereo pair; not of previews and gain maps
_LOOKED_THROUGH = 100  # pages whose sizes are compared to find the largest


def name_of(source: Source) -> str:
    """The format in lower case, as recorded; a JPEG that holds several pictures is an `mpo`."""
    several = source.format == "JPEG" and "mp" in source.image.info
    return "mpo" if several else source.format.lower()


def count(source: Source, most: int) -> int:
    """The number of pages or frames of `source`, counted up to `most` + 1; of a truncated GIF only whole frames count.

    Raises PictureError if there is no whole frame. A GIF is counted here, because Pillow would parse every frame.
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
            count = len(_pictures(source))
        case _:
            count = int(getattr(source.image, "n_frames", 1))
    return min(max(1, count), most + 1)


def by_page(specs: Iterable[Spec], pages: int) -> list[tuple[int | None, tuple[Spec, ...]]]:
    """Groups `specs` by the page that they show. None, the picture that a viewer shows, comes first.

    The only page of a file counts as None, so that it is decoded once: a JPEG cannot shrink on load a second time.
    """
    of_page: dict[int | None, list[Spec]] = {}
    for spec in specs:
        page = None if pages == 1 and spec.page in (0, LARGEST) else spec.page
        of_page.setdefault(page, []).append(spec)
    return [(page, tuple(of_page[page])) for page in sorted(of_page, key=lambda page: (page is not None, page or 0))]


@contextmanager
def turned_to(source: Source, page: int | None, pages: int) -> Iterator[Source]:
    """`source` turned to one of its `pages`, and turned back afterwards. Not to be nested.

    Raises PictureError (`not encodable`, because the spec does not fit) if there is no such page.
    """
    if page is None:
        yield source
        return
    if page == LARGEST:
        page = _largest(source, pages)
    if page >= pages:
        raise PictureError(ErrorKind.NOT_ENCODABLE, f"page {page} is asked for, and the last one is {pages - 1}")
    if source.format == "JPEG":
        with _picture(source, _pictures(source)[page]) as picture:
            yield picture
        return
    before = source.image.tell()
    _seek(source, page)
    try:
        yield source
    finally:
        _seek(source, before)


def further(source: Source) -> Iterator[Source]:
    """The pictures behind the first of an MPO, gain maps and previews too: each opened until the next is asked for.

    Raises PictureError where one cannot be opened. Of very many, only the first are looked at.
    """
    if source.format != "JPEG":
        return
    for _kind, start, size in pictures_in(source.image, source.view)[1:MOST_PICTURES]:
        with _picture(source, (start, size)) as picture:
            yield picture


def _seek(source: Source, page: int) -> None:
    try:
        source.image.seek(page)
    except PictureError:
        raise
    except Exception as error:
        raise decode_failure(error, source.view, source.format) from error


def _largest(source: Source, pages: int) -> int:
    if source.animated:
        return 0  # all frames have one size
    areas = []
    for page in range(min(pages, _LOOKED_THROUGH)):
        with turned_to(source, page, pages) as shown:
            areas.append(shown.image.width * shown.image.height)
    return areas.index(max(areas))


def _pictures(source: Source) -> list[tuple[int, int]]:
    """The offset and the size of each whole picture in an MPO; empty for any other JPEG."""
    return [(start, size) for kind, start, size in pictures_in(source.image, source.view) if kind in _WHOLE_PICTURES]


@contextmanager
def _picture(source: Source, place: tuple[int, int]) -> Iterator[Source]:
    content = source.view[place[0] : place[0] + place[1]]
    try:
        image = Jpeg(io.BytesIO(content))
    except PictureError:
        raise
    except Exception as error:
        raise decode_failure(error, content, "JPEG") from error
    with image:
        yield replace(source, image=image, view=content)
