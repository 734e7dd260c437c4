"""A disk in a file whose power can be cut: ext4 in an image, mounted by a loop device. For root on Linux.

A cut is ext4's own: from one moment to the next nothing reaches the disk any more, not even the journal
(EXT4_IOC_SHUTDOWN without flushing). What was not flushed is gone; the next mount replays the journal, as after
a crash.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

_SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN: _IOR('X', 125, __u32)
_NOT_EVEN_THE_LOG = 2  # EXT4_GOING_FLAGS_NOLOGFLUSH


class Disk:
    """One image, mounted at `place` from entering to leaving."""

    def __init__(self, image: Path, place: Path) -> None:
        self.image = image
        self.place = place

    @classmethod
    def make(cls, image: Path, place: Path, mebibytes: int = 64) -> Disk:
        """Format a new one."""
        with image.open("wb") as file:
            file.truncate(mebibytes << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True, capture_output=True)
        return cls(image, place)

    def copy(self, image: Path) -> Disk:
        """The same content in another image; neither is mounted. `place` stays."""
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", str(self.image), str(image)], check=True)
        return Disk(image, self.place)

    def cut(self) -> None:
        """Cut its power. A process that still writes gets errors until it is unmounted."""
        descriptor = os.open(self.place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _NOT_EVEN_THE_LOG))
        finally:
            os.close(descriptor)

    def __enter__(self) -> Disk:
        self.place.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-o", "loop", str(self.image), str(self.place)], check=True, capture_output=True)
        return self

    def __exit__(self, *_: object) -> None:
        if subprocess.run(["umount", str(self.place)], check=False, capture_output=True).returncode:
            subprocess.run(["umount", "--lazy", str(self.place)], check=True, capture_output=True)


def usable() -> bool:
    """Whether such disks can be made here: root, loop devices, ext4 that can be shut down."""
    if os.geteuid() or not (shutil.which("mkfs.ext4") and shutil.which("mount")):
        return False
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(OSError, subprocess.CalledProcessError):
        with Disk.make(Path(folder, "image"), Path(folder, "disk"), 8) as disk:
            disk.cut()
        return True
    return False


@contextlib.contextmanager
def unmounted_at_the_end(place: Path) -> Iterator[None]:
    """Whatever happens in the block, nothing stays mounted at `place`."""
    try:
        yield
    finally:
        while os.path.ismount(place):
            subprocess.run(["umount", "--lazy", str(place)], check=True, capture_output=True)
