from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pipeline.config.settings import TargetSettings
from pipeline.manifest.claims import ClaimedFile
from pipeline.targets.local import LocalTarget
from pipeline.targets.removal import LocalRemoval

LEFT = ".pipeline-dead-1"


@pytest.fixture
def target(tmp_path: Path) -> TargetSettings:
    """A target with a folder, and beside it what nobody may touch."""
    (tmp_path / "target/a").mkdir(parents=True)
    (tmp_path / "beside/empty").mkdir(parents=True)
    for name in ("beside/file", f"beside/{LEFT}", LEFT):
        (tmp_path / name).write_bytes(b"kept")
    return TargetSettings(tmp_path / "target")


@pytest.mark.parametrize("way", ["../beside", "a/../../beside", "./../beside", "/../beside", "a//../../beside"])
def test_nothing_outside_a_target_is_swept_removed_or_looked_at_whatever_a_manifest_says(
    tmp_path: Path, target: TargetSettings, way: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    files, removal = LocalTarget(target, "run"), LocalRemoval(target)
    assert files.sweep({"dead"}, [way, way.removesuffix("/beside"), ".."]) == 0
    stat = (tmp_path / "beside/file").stat()
    digest = hashlib.sha256(b"kept").digest()
    file = ClaimedFile(f"{way}/file", "a.jpg", "thumb", stat.st_size, stat.st_mtime_ns, digest, current=False)
    assert removal.remove(file) == "its path leads out of the target"
    assert removal.identity(file.target) is None
    assert files.stat(file.target) is None
    removal.remove_folder(f"{way}/empty")
    assert sorted(tmp_path.rglob("*")) == before
