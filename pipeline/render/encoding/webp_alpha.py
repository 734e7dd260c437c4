"""Sets the alpha flag of an animated WebP: libwebp decides by the cropped rectangles of frames alone."""

from __future__ import annotations

import os

_FLAGS, _ALPHA = 20, 0x10  # where the extended header's flags stand, and the one for alpha


def say_alpha(descriptor: int) -> None:
    """Sets the alpha flag in the animated WebP in `descriptor`, some part of which is transparent at some time.

    Otherwise an animation whose every frame was cut down to opaque rectangles is called opaque, and is black elsewhere.
    """
    head = os.pread(descriptor, _FLAGS + 1, 0)
    if head[12:16] == b"VP8X":
        os.pwrite(descriptor, bytes((head[_FLAGS] | _ALPHA,)), _FLAGS)
