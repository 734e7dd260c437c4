from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import pytest

from pipeline.config.settings import StoreSettings
from pipeline.stores import host_keys
from pipeline.stores.filesystems import FileStore
from pipeline.stores.store import StoreFailure


class _HostKeys:
    """As paramiko's: what the files hold."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def load(self, path: str) -> None:
        self._lines += Path(path).read_text().splitlines()

    def check(self, host: str, key: str) -> bool:
        return f"{host} {key}" in self._lines


@pytest.fixture
def paramiko(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Libraries that stand for the real ones. Returns the known hosts."""
    module = SimpleNamespace(HostKeys=_HostKeys, MissingHostKeyPolicy=object)
    monkeypatch.setitem(sys.modules, "paramiko", module)
    monkeypatch.setitem(
        sys.modules,
        "fsspec.implementations.sftp",
        SimpleNamespace(HOST_KEY_POLICIES={}),
    )
    monkeypatch.setattr(host_keys, "_FILES", (str(tmp_path / "none"), str(tmp_path / "known")))
    (tmp_path / "known").write_text("host right\n")
    return tmp_path / "known"


@pytest.mark.usefixtures("paramiko")
def test_a_server_whose_key_is_not_known_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def connects(url: str, **options: Any) -> tuple[object, str]:
        asked.append(url)
        options["sftp"]["host_key_policy"]().missing_host_key(None, "host", "wrong")
        return object(), ""

    monkeypatch.setattr(fsspec.core, "url_to_fs", connects)
    with pytest.raises(StoreFailure, match="has a key that is not in ~/.ssh/known_hosts"):
        FileStore(StoreSettings("zip://a::sftp://host/photos.zip")).look("a.jpg")
    assert len(asked) == 1
    host_keys.options("sftp://host")["sftp"]["host_key_policy"]().missing_host_key(None, "host", "right")


@pytest.mark.usefixtures("paramiko")
def test_what_fsspec_is_told_of_unknown_keys_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fsspec.config.conf, "sftp", {"host_key_policy": "auto_add"})
    assert not host_keys.options("sftp://host/photos")
    assert host_keys.options("zip://a::ssh://host/photos.zip").keys() == {"ssh"}
    assert not host_keys.options("s3://bucket")
