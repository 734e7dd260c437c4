"""ISO base media files (AVIF, HEIF): their boxes."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.render.container.view import View


def boxes(view: View, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yields `(kind, start, end)` of the content of each box between `at` and `end`.

    Stops at a box whose size is impossible. A box that claims to reach beyond `end` is cut there.
    """
    while at + 8 <= end:
        kind, start, after = _box(view, at, end)
        if min(after, end) < start:
            return
        yield kind, start, min(after, end)
        at = after


def is_short(view: View) -> bool:
    """Whether the last top-level box claims to reach beyond the file, or bytes of a box's beginning are left over."""
    at = 0
    while at + 8 <= len(view):
        _, start, after = _box(view, at, len(view))
        if after < start:
            return False  # the decoder reports the fault
        at = after
    return at != len(view)


def _box(view: View, at: int, end: int) -> tuple[bytes, int, int]:
    """The kind of the box at `at`, the offset of its content, and the offset at which it claims to end."""
    head = view[at : at + 16]
    size, start = int.from_bytes(head[:4]), at + 8
    if size == 1:
        size, start = int.from_bytes(head[8:16]), at + 16
    return head[4:8], start, end if size == 0 else at + size
