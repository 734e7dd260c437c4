from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.mounts import Mount, mount_of

TABLE = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /proc rw - proc proc rw
40 22 0:44 / /mnt/nas rw,relatime - nfs4 nas:/photos rw,vers=4.2
41 40 8:2 / /mnt/nas/disk rw - xfs /dev/sdb1 rw
42 22 0:45 / /mnt/with\040space rw master:3 - fuse.sshfs me@there:/x rw
43 22 0:46 / /tmp rw - tmpfs tmpfs rw
44 22 8:3 / /tmp rw - btrfs /dev/sdc1 rw
this is no line
"""


@pytest.mark.parametrize(
    ("path", "kind", "network", "passing"),
    [
        ("/srv/photos", "ext4", False, False),
        ("/mnt/nas/a/b", "nfs4", True, False),
        ("/mnt/nas", "nfs4", True, False),
        ("/mnt/nasty", "ext4", False, False),
        ("/mnt/nas/disk/x", "xfs", False, False),
        ("/mnt/with space/x", "fuse.sshfs", True, False),
        ("/tmp/x", "btrfs", False, False),  # the later mount hides the earlier one
    ],
)
def test_a_path_is_on_the_mount_that_holds_it(
    tmp_path: Path, path: str, kind: str, network: bool, passing: bool
) -> None:
    (tmp_path / "mountinfo").write_text(TABLE)
    mount = mount_of(Path(path), tmp_path / "mountinfo")
    assert mount is not None
    assert (mount.kind, mount.network, mount.passing) == (kind, network, passing)


def test_a_file_system_in_memory_is_passing() -> None:
    assert Mount("/x", "tmpfs", "tmpfs").passing
    assert Mount("/x", "fuse.rclone", "x").network
    assert not Mount("/x", "fuseblk", "/dev/sdb1").network


def test_without_a_table_nothing_is_known(tmp_path: Path) -> None:
    assert mount_of(tmp_path, tmp_path / "none") is None


def test_this_machine_can_be_read() -> None:
    mount = mount_of(Path(__file__))
    assert mount is not None
    assert os.path.ismount(mount.point)
