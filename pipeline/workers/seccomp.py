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


# System calls that a rendering child has no use for, and their numbers: `name: (x86_64, aarch64)`, None: none there.
# Numbers never change once given; these are of Linux' `unistd.h` up to `LAST`. Later calls are unknown here, and the
# filter answers them as a kernel without them would.
LAST = 462  # mseal, Linux 6.10

_Numbers = dict[str, tuple[int | None, int | None]]

FORBIDDEN: _Numbers = {
    # files by name
    "open": (2, None),
    "openat": (257, 56),
    "openat2": (437, 437),
    "creat": (85, None),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "stat": (4, None),
    "lstat": (6, None),
    "statx": (332, 291),
    "statfs": (137, 43),
    "access": (21, None),
    "faccessat": (269, 48),
    "faccessat2": (439, 439),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "getcwd": (79, 17),
    "sync": (162, 81),
    "syncfs": (306, 267),
    "truncate": (76, 45),
    "fallocate": (285, 47),  # memory that no limit of the process counts
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "link": (86, None),
    "linkat": (265, 37),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "rmdir": (84, None),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "lchown": (94, None),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "getxattr": (191, 8),
    "lgetxattr": (192, 9),
    "fgetxattr": (193, 10),
    "listxattr": (194, 11),
    "llistxattr": (195, 12),
    "flistxattr": (196, 13),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "chdir": (80, 49),
    "fchdir": (81, 50),
    "chroot": (161, 51),
    "uselib": (134, None),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "inotify_add_watch": (254, 27),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    # mounts
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "statmount": (457, 457),
    "listmount": (458, 458),
    # network
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    # ipc
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "semget": (64, 190),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "semctl": (66, 191),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    # programs and processes
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
    "setpgid": (109, 154),
    "setsid": (112, 157),
    "setns": (308, 268),
    "unshare": (272, 97),
    # other processes
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "kcmp": (312, 272),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setattr": (314, 274),
    "sched_setaffinity": (203, 122),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # kernel
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_setup": (206, 0),
    "userfaultfd": (323, 282),
    "memfd_secret": (447, 447),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "syslog": (103, 116),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "vhangup": (153, 58),
    "personality": (135, 92),
    "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42),
}
"""Refused with any arguments."""

EXAMINED: _Numbers = {
    "clone": (56, 220),
    "clone3": (435, 435),
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "prlimit64": (302, 261),
    "fcntl": (72, 25),
    "ioctl": (16, 29),
    "prctl": (157, 167),
    "mmap": (9, 222),
}
"""Refused by their arguments, see `seccomp`."""
