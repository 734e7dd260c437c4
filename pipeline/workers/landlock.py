"""Landlock, the kernel's own sandbox for unprivileged programs: every right it knows is handled, none is granted."""

from __future__ import annotations

import ctypes
import errno
import os

# The same numbers on every machine.
_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_ASK_VERSION = 1
_FOR_ALL_THREADS = 1 << 3  # from version 8
_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}  # version -> how many rights to files it knows, as low bits
_BIND_AND_CONNECT = 0b11  # TCP; from version 4
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11  # from version 6


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


def version(libc: ctypes.CDLL) -> int:
    """The version of Landlock that the kernel offers; 0 if it has none, or Landlock is switched off."""
    return max(0, int(libc.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)))


def restrict(libc: ctypes.CDLL, offered: int) -> str:
    """Take every right of Landlock `offered` from this thread (from version 8: from all threads), for good. Needs
    no_new_privs. Returns why it failed, or "".
    """
    ruleset = _Ruleset(
        files=(1 << max(bits for since, bits in _RIGHTS.items() if since <= offered)) - 1,
        network=_BIND_AND_CONNECT if offered >= 4 else 0,
        scoped=_ABSTRACT_SOCKETS_AND_SIGNALS if offered >= 6 else 0,
    )
    size = (
        24 if offered >= 6 else 16 if offered >= 4 else 8
    )  # an older kernel refuses a longer one only if it says more
    descriptor = libc.syscall(_CREATE_RULESET, ctypes.byref(ruleset), ctypes.c_size_t(size), 0)
    if descriptor < 0:
        return os.strerror(ctypes.get_errno() or errno.EINVAL)
    try:
        if libc.syscall(_RESTRICT_SELF, descriptor, _FOR_ALL_THREADS if offered >= 8 else 0):
            return os.strerror(ctypes.get_errno() or errno.EINVAL)
    finally:
        os.close(descriptor)
    return ""
