"""The three standard descriptors, whatever the program was started with."""

from __future__ import annotations

import os


def plug() -> None:
    """Open what is closed of 0, 1 and 2 on nothing.

    The next file to be opened would have such a number otherwise, and a library that writes its warnings to standard
    error would write them into the manifest.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # the lowest that is free
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
