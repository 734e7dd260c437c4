"""What passes between an I/O thread and whoever renders for it: one request, two replies.

The function that does the work is a generator: it is called with a descriptor and a request, yields a first reply (what
the work will need), is resumed when there is room for it, and yields a second and last reply (what came of it). It runs
either in the thread itself or in a child; its callers see no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple


class Reply(NamedTuple):
    """A picklable payload and the descriptors that come with it; whoever receives the reply closes them."""

    payload: object
    descriptors: tuple[int, ...] = ()


Function = Callable[[int, object], Iterator[Reply]]
"""Called with a readable descriptor (it stays the caller's) and a picklable request. May raise `PictureError`."""
