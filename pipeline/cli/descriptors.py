"""Keeps the three standard descriptors open, whatever the program was started with."""

from __future__ import annotations

import os


def plug() -> None:
    """Open those of 0, 1 and 2 that are closed, on /dev/null.

    Otherwise the next file to be opened would get such a number, and a library that writes its warnings to standard
    error would write them into the manifest.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # the lowest that is free
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
