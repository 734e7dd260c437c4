"""A filter on system calls: what needs a name, an address or another process is refused with EPERM.

It is a deny list, so that a library's next release still runs. Calls on the descriptors and the memory that the process
has are not restricted. Refused calls fail and do not kill: a library that can do without one goes on.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

from pipeline.workers.syscalls import EXAMINED, FORBIDDEN, LAST

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_COLUMN = {"x86_64": 0, "aarch64": 1}
_SECCOMP_CALL = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER, _FOR_ALL_THREADS = 1, 1

_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data; both machines are little-endian
_LOAD, _EQUAL, _GREATER, _AND, _RETURN = 0x20, 0x15, 0x25, 0x54, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000

_A_THREAD = 0x10000 | 0x400  # CLONE_THREAD and CLONE_FILES: what it opens is seen among the process's descriptors
_F_SETOWN, _F_SETSIG, _F_SETOWN_EX, _F_NOTIFY = 8, 10, 15, 1026  # make the kernel send signals to any process
_TIOCSTI = 0x5412  # typing into a terminal
_OF_SOCKETS = (0x8900, 0x8B00)  # the same as above (FIOSETOWN, SIOCSPGRP), interfaces, addresses and routes; by 256
_SHARED_WITHOUT_A_FILE = 0x21  # MAP_SHARED and MAP_ANONYMOUS: memory that may be held without being resident
_PR_SET_PDEATHSIG = 1  # or it could outlive its parent

_Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def machine() -> str | None:
    """The machine's name if its system calls are known here, else None."""
    known = sys.platform == "linux" and sys.byteorder == "little" and sys.maxsize > 2**32
    return platform.machine() if known and platform.machine() in _COLUMN else None


def install(libc: ctypes.CDLL) -> str:
    """Put the filter on all threads of this process, for good; needs no_new_privs. Returns why it failed, or ""."""
    name = machine()
    if name is None:
        return f"no table of system calls for {sys.platform} on {platform.machine()}"
    code = b"".join(struct.pack("<HBBI", *instruction) for instruction in program(name, os.getpid()))
    held = ctypes.create_string_buffer(code, len(code))
    filter_ = _Program(len(code) // 8, ctypes.addressof(held))
    if libc.syscall(_SECCOMP_CALL[name], _SET_MODE_FILTER, _FOR_ALL_THREADS, ctypes.byref(filter_)):
        return os.strerror(ctypes.get_errno() or errno.EINVAL)  # a positive result is a thread that could not follow
    return ""


def program(name: str, pid: int) -> list[_Instruction]:
    """The filter for machine `name` and the process `pid`."""
    column = _COLUMN[name]
    refused, unknown = _answer(errno.EPERM), _answer(errno.ENOSYS)
    steps: list[_Instruction] = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, _AUDIT_ARCH[name]),
        refused,  # 32-bit calls have other numbers
        (_LOAD, 0, 0, _NUMBER),
        (_GREATER, 0, 1, LAST),  # x32 calls have a high bit set
        unknown,
    ]
    for numbers in FORBIDDEN.values():
        if (number := numbers[column]) is not None:
            steps += [(_EQUAL, 0, 1, number), refused]
    for call, rule in _rules(pid).items():
        if (number := EXAMINED[call][column]) is not None:
            steps += [(_EQUAL, 0, len(rule), number), *rule]
    return [*steps, (_RETURN, 0, 0, _ALLOW)]


def _rules(pid: int) -> dict[str, list[_Instruction]]:
    """The checks that follow once a call is recognised; each ends with an answer."""
    refused, unknown, allowed = _answer(errno.EPERM), _answer(errno.ENOSYS), (_RETURN, 0, 0, _ALLOW)
    to_myself = [_argument(0), (_EQUAL, 1, 0, pid), refused, allowed]
    return {
        "clone": [_argument(0), (_AND, 0, 0, _A_THREAD), (_EQUAL, 1, 0, _A_THREAD), refused, allowed],
        "clone3": [unknown],  # its flags are behind a pointer; the C library then takes `clone`
        "kill": to_myself,
        "tkill": to_myself,
        "tgkill": to_myself,
        "prlimit64": [_argument(0), (_EQUAL, 2, 0, 0), (_EQUAL, 1, 0, pid), refused, allowed],
        "fcntl": _unless(1, _F_SETOWN, _F_SETSIG, _F_SETOWN_EX, _F_NOTIFY),
        "ioctl": [*_unless(1, _TIOCSTI)[:-1], (_AND, 0, 0, 0xFF00), *_unless(None, *_OF_SOCKETS)],
        "prctl": _unless(0, _PR_SET_PDEATHSIG),
        "mmap": [_argument(3), (_AND, 0, 0, _SHARED_WITHOUT_A_FILE), *_unless(None, _SHARED_WITHOUT_A_FILE)],
    }


def _unless(position: int | None, *values: int) -> list[_Instruction]:
    """Allowed unless the argument there (None: the one already loaded) is one of `values`."""
    steps = [] if position is None else [_argument(position)]
    for value in values:
        steps += [(_EQUAL, 0, 1, value), _answer(errno.EPERM)]
    return [*steps, (_RETURN, 0, 0, _ALLOW)]


def _argument(position: int) -> _Instruction:
    """Loads the low half of an argument; those that are checked are ints."""
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * position)


def _answer(number: int) -> _Instruction:
    return (_RETURN, 0, 0, _ERRNO | number)
