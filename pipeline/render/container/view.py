"""The bytes of a picture file, as the walkers of this folder take them.

A walker reads structure only and decodes nothing. It moves forward and stops at the end of the bytes or at a bound, so
that a hostile file costs no more than a sound one of the same size.
"""

from __future__ import annotations

import mmap

View = mmap.mmap | bytes
"""All bytes of a file, mapped or read. Walkers read them in place."""
