"""An open folder, below which sources are read and targets written by descriptors instead of paths."""

from __future__ import annotations

import os


class Descriptor:
    """Closed when the last thread that uses it lets go of it: a cache may drop one while others still open files."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        os.close(self.number)
