"""Which file system a path is on, and its properties, from Linux' mountinfo. Elsewhere nothing is known."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
        "vboxsf",
        "virtiofs",
    }
)
# They show the same owner and modes for all files, taken from the options of the mount.
_OWNERLESS = frozenset(
    {"9p", "cifs", "drvfs", "exfat", "fuseblk", "msdos", "ntfs", "ntfs3", "smb3", "smbfs", "vboxsf", "vfat"}
)
_PASSING = frozenset({"tmpfs", "ramfs"})


@dataclass(frozen=True, slots=True)
class Mount:
    """One mounted file system. `kind` as the kernel calls it: ext4, nfs4, fuse.sshfs ..."""

    point: str
    kind: str
    device: str

    @property
    def network(self) -> bool:
        """Whether another machine may be behind it."""
        return self.kind in _NETWORK or self.kind.startswith("fuse.")

    @property
    def keeps_owners(self) -> bool:
        """Whether the owners and modes of its files decide which users may write them."""
        return self.kind not in _OWNERLESS and not self.kind.startswith("fuse.")

    @property
    def passing(self) -> bool:
        """Whether its files are gone after a restart."""
        return self.kind in _PASSING


def mount_of(path: Path, mounts: Path = _MOUNTS) -> Mount | None:
    """The mount that `path` (which need not exist) is on; None where it is not known."""
    real = os.path.realpath(path)
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    nearest: Mount | None = None
    for line in lines:
        mount = _parsed(line)
        # a later line of an equally long point hides the earlier one
        if mount and _holds(mount.point, real) and (nearest is None or len(mount.point) >= len(nearest.point)):
            nearest = mount
    return nearest


def _holds(point: str, path: str) -> bool:
    return path == point or path.startswith(point.rstrip("/") + "/")


def _parsed(line: str) -> Mount | None:
    """One line of mountinfo (see proc(5)): `36 35 98:0 /root /point options ... - kind device options`."""
    before, dash, after = line.partition(" - ")
    left, right = before.split(" "), after.split(" ")
    if not dash or len(left) < 5 or len(right) < 2:
        return None
    return Mount(_unescaped(left[4]), right[0], _unescaped(right[1]))


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda escape: chr(int(escape[1], 8)), text)
