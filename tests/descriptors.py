"""Counts of descriptors that do not depend on what other tests have left behind."""

from __future__ import annotations

import gc
import os


def open_files() -> int:
    """How many descriptors this process has open.

    What earlier tests left to the collector is closed first, so that it is not closed between two counts. Compare with
    `<=`: a thread of an earlier test may close one late.
    """
    gc.collect()
    return len(os.listdir("/proc/self/fd"))
