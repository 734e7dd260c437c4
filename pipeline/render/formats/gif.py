"""GIFs: each frame becomes a GIF of its own for Pillow's decoder."""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator
from typing import IO, NamedTuple

from PIL import GifImagePlugin, Image, ImageFile

from pipeline.render.container.gif import GIF_IMAGE, gif_blocks, gif_frames, palette_size
from pipeline.render.container.splice import spliced
from pipeline.render.container.view import View
from pipeline.render.formats.animation import After, Moving, Part

_SCREEN = 13  # bytes: the signature and the logical screen descriptor
_CONTROL = 0xF9  # the graphic control extension: how the next frame is shown
_AFTER = {2: After.CLEARED, 3: After.UNDONE}


class _Control(NamedTuple):
    after: After = After.STAYS
    delay: int = 0  # milliseconds
    clear: int | None = None  # index of the transparent colour


def opened(file: IO[bytes], view: View) -> ImageFile.ImageFile:
    """Opens the GIF in `view`; `file` has the same bytes. Pillow alone reads a GIF of one frame that covers it all."""
    image = GifImagePlugin.GifImageFile(file)
    count, _ = gif_frames(view, 1)
    screen = struct.unpack_from("<HH", view, 6)
    first = next((_box(view, at) for _, at, _ in _frames(view)), (0, 0, *screen))
    if count == 0 or (count == 1 and first == (0, 0, *image.size)):
        image.is_animated = False
        return image
    size = (max(screen[0], first[2]), max(screen[1], first[3]))
    moving = Moving("GIF", "RGBA", size, lambda: gif_frames(view, len(view))[0], functools.partial(_parts, view, size))
    moving.is_animated = count > 1
    moving.info.update({name: image.info[name] for name in ("loop", "comment") if name in image.info})
    return moving


def _parts(view: View, size: tuple[int, int]) -> Iterator[Part]:
    for control, at, end in _frames(view):
        left, top, right, bottom = _box(view, at)
        shown = (left, top, min(right, size[0]), min(bottom, size[1]))
        decode = functools.partial(_decoded, view, at, end, control.clear, (shown[2] - left, shown[3] - top))
        yield Part(shown, True, control.after, control.delay, decode)


def _frames(view: View) -> Iterator[tuple[_Control, int, int]]:
    """Yields each frame's control values and the offsets of its block. Stops before a frame that is cut off."""
    control = _Control()
    try:
        for kind, at, end in gif_blocks(view):
            if kind == GIF_IMAGE:
                yield control, at, end
                control = _Control()
            elif view[at + 1] == _CONTROL and view[at + 2] >= 4:
                flags, delay, clear = struct.unpack_from("<BHB", view, at + 3)
                after = _AFTER.get(flags >> 2 & 7, After.STAYS)
                control = _Control(after, delay * 10, clear if flags & 1 else None)
    except IndexError:
        return


def _box(view: View, at: int) -> tuple[int, int, int, int]:
    left, top, width, height = struct.unpack_from("<HHHH", view, at + 1)
    return (left, top, left + width, top + height)


def _decoded(view: View, at: int, end: int, clear: int | None, shown: tuple[int, int]) -> Image.Image:
    """Decodes the image block between `at` and `end`, cropped at the right and the bottom to the size `shown`."""
    flags = view[at + 9]
    palette = (at + 10, at + 10 + palette_size(flags))
    if not flags & 0x80:
        flags, palette = view[10] & 0x87 | flags & 0x40, (_SCREEN, _SCREEN + palette_size(view[10]))
    size = view[at + 5 : at + 9]
    screen = b"GIF89a" + size + bytes((flags & 0x87, 0, 0))
    image = b"," + bytes(4) + size + bytes((flags & 0x40,))
    pixels = (view, at + 10 + palette_size(view[at + 9]), end)
    parts = [(screen, 0, len(screen)), (view, *palette), (image, 0, len(image)), pixels, (b";", 0, 1)]
    with GifImagePlugin.GifImageFile(spliced(parts)) as frame:
        frame.load()
        if clear is not None:
            frame.info["transparency"] = clear
        return frame.convert("RGBA").crop((0, 0, *shown))
