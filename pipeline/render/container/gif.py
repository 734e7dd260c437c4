"""GIF: the blocks of a file, and its frames."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.render.container.view import View

GIF_IMAGE, GIF_EXTENSION = 0x2C, 0x21


def gif_blocks(view: View) -> Iterator[tuple[int, int, int]]:
    """Yields `(kind, start, end)` of each block of a GIF; the kind is `GIF_IMAGE` or `GIF_EXTENSION`.

    Raises IndexError where the file ends within a block.
    """
    at = 13 + palette_size(view[10])
    while at < len(view):
        match view[at]:
            case 0x2C:  # image descriptor, its palette, LZW code size, sub-blocks
                end = _after_sub_blocks(view, at + 11 + palette_size(view[at + 9]))
                yield GIF_IMAGE, at, end
            case 0x21:
                end = _after_sub_blocks(view, at + 2)
                yield GIF_EXTENSION, at, end
            case 0x3B:
                return
            case _:  # stray bytes between blocks are common, and decoders skip them
                end = at + 1
        at = end


def gif_frames(view: View, most: int) -> tuple[int, bool]:
    """The number of whole frames in a GIF, counted up to `most` + 1, and whether the file ends within a block.

    A missing trailer does not count as cut off: it is common, and nothing of the picture is missing.
    """
    frames = 0
    try:
        for kind, _, _ in gif_blocks(view):
            frames += kind == GIF_IMAGE
            if frames > most:
                break
    except IndexError:
        return frames, True
    return frames, False


def palette_size(flags: int) -> int:
    """The size in bytes of the palette that the `flags` of a GIF's screen or image announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_sub_blocks(view: View, at: int) -> int:
    """The offset behind the sub-blocks that start at `at`. Raises IndexError where the file ends first."""
    while length := view[at]:
        at += length + 1
    return at + 1


def is_short(view: View) -> bool:
    """Whether a GIF ends within a block."""
    return gif_frames(view, len(view))[1]
