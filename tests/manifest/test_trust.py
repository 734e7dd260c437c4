from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.manifest import trust
from pipeline.mounts import Mount


def test_a_group_of_the_users_own_is_nobody_else(tmp_path: Path) -> None:
    tmp_path.chmod(0o775)
    os.chown(tmp_path, -1, os.getgid())
    assert (trust.reason(tmp_path / "manifest.sqlite", shared=False) is None) == (os.getuid() == os.getgid())


def test_where_a_file_system_keeps_no_owners_nothing_is_held_against_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o777)
    assert trust.reason(tmp_path / "manifest.sqlite", shared=False) is not None
    monkeypatch.setattr(trust, "mount_of", lambda _path: Mount("/mnt/c", "9p", "C:"))
    assert trust.reason(tmp_path / "manifest.sqlite", shared=False) is None
