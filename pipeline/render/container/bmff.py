"""ISO base media files (AVIF, HEIF): their boxes, and the properties of their pictures."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.render.container.view import View

HEAD = 8  # bytes of a box before its content, where its size has 32 bits
VERSION = 4  # bytes of version and flags, with which some boxes begin
_PARENTS = (b"meta", b"iprp", b"ipco")  # of the properties of pictures, from the outermost


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


def span(view: View, wanted: bytes, at: int, end: int) -> tuple[int, int]:
    """Where the content of the first box of a kind starts and ends. Raises ValueError if there is none."""
    for kind, start, after in boxes(view, at, end):
        if kind == wanted:
            return start, after
    raise ValueError(f"no {wanted.decode()} box")


def properties(view: View) -> Iterator[tuple[bytes, int, int]]:
    """Yields as `boxes` does the properties of all pictures in a file, in its order, and the boxes around them."""
    yield from _below(view, 0, len(view), _PARENTS)


def _below(view: View, at: int, end: int, parents: tuple[bytes, ...]) -> Iterator[tuple[bytes, int, int]]:
    for kind, start, after in boxes(view, at, end):
        if kind in parents:
            within = parents[parents.index(kind) + 1 :]
            yield from _below(view, start + (VERSION if kind == b"meta" else 0), after, within)
        else:
            yield kind, start, after


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
