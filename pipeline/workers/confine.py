"""Confines a child to its memory and its descriptors, once it has loaded everything.

Three layers, because not every kernel has all, and each alone covers most: capabilities are given up, Landlock takes
away files and TCP, and a filter refuses the system calls that neither covers. None can be undone.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

from pipeline.workers import landlock, seccomp
from pipeline.workers.exchange import Confinement

_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION = 0x20080522  # two words of 32 capabilities each


def confine() -> Confinement:
    """Confine this process as far as the kernel can, for good; returns what is enforced. Never raises.

    Runs in the main thread, best before there are others: Landlock before version 8 binds only the calling thread.
    """
    if sys.platform != "linux":
        return Confinement(lacking=(f"no confinement on {sys.platform}",))
    libc = ctypes.CDLL(None, use_errno=True)
    lacking = []
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return Confinement(lacking=("no_new_privs",))
    if not _give_up_capabilities(libc):
        lacking.append("capabilities")
    version = landlock.version(libc)
    alone = is_alone() or version >= 8
    why = landlock.restrict(libc, version) if version else "not offered by the kernel"
    if why or not alone:
        lacking.append(f"landlock: {why or 'threads were running'}")
    refused = seccomp.install(libc)
    if refused:
        lacking.append(f"seccomp: {refused}")
    return Confinement(landlock=0 if why or not alone else version, seccomp=not refused, lacking=tuple(lacking))


def is_alone() -> bool:
    """Whether this process has no thread but the calling one. Linux only."""
    return len(os.listdir("/proc/self/task")) == 1


def _give_up_capabilities(libc: ctypes.CDLL) -> bool:
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION, 0))
    return bool(libc.capset(header, ctypes.create_string_buffer(24)) == 0)
