"""mozjpeg's lossless pass over an encoded JPEG: the same pixels in fewer bytes, by better scans and codes.

The library is an extra. A config that needs it is refused before rendering starts if it is not installed.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import Any

_LIBRARY = "mozjpeg_lossless_optimization"


def is_installed() -> bool:
    """Whether the extra `optimize` is installed. Loads nothing."""
    return importlib.util.find_spec(_LIBRARY) is not None


def second_pass(descriptor: int) -> None:
    """Replaces the JPEG in `descriptor` by a smaller one with all its metadata, if there is a smaller one.

    Raises ImportError if the extra `optimize` is not installed.
    """
    library: Any = importlib.import_module(_LIBRARY)
    before = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    after = library.optimize(before, copy=library.COPY_MARKERS.ALL)
    if len(after) < len(before):
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        with open(descriptor, "wb", closefd=False) as file:
            file.write(after)
