from __future__ import annotations

import errno
import uuid
import zipfile
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFile, MemoryFileSystem

from pipeline.config.settings import SourceSettings, StoreSettings
from pipeline.errors import TargetTrouble
from pipeline.sources.objects.listing import Listing
from pipeline.stores import filesystems
from pipeline.stores.filesystems import FileStore
from pipeline.stores.store import Fault, Store, StoreFailure
from pipeline.targets.objects.index import everything


@pytest.fixture
def store() -> Store:
    """A place in memory, which is that of the process."""
    url = f"memory://{uuid.uuid4().hex}"
    fsspec.filesystem("memory").makedirs(url)
    return FileStore(StoreSettings(url))


def test_what_is_put_is_listed_looked_at_read_and_removed(store: Store) -> None:
    put = store.put("a/b/c.jpg", memoryview(b"content"), {})
    store.put("a/d.jpg", memoryview(b"more"), {})
    assert sorted(entry.name for entries in store.entries() for entry in entries) == ["a/b/c.jpg", "a/d.jpg"]
    entries, below = store.entries_in("a")
    assert ([entry.name for entry in entries], below) == (["a/d.jpg"], ["a/b"])
    assert store.look("a/b/c.jpg") == put
    assert b"".join(store.get("a/b/c.jpg").pieces) == b"content"
    assert (put.name, put.size) == ("a/b/c.jpg", 7)
    store.remove("a/b/c.jpg")
    store.remove("a/b/c.jpg")
    assert store.look("a/b/c.jpg") is None


def test_names_may_hold_any_kind_of_space(store: Store) -> None:
    put = store.put("at 3.45\u202fPM.png", memoryview(b"content"), {})
    assert store.look("at 3.45\u202fPM.png") == put


def test_names_that_lead_out_are_refused(store: Store) -> None:
    for name in ("../a", "a//b", "a\0"):
        with pytest.raises(StoreFailure) as caught:
            store.put(name, memoryview(b""), {})
        assert caught.value.fault is Fault.BAD_NAME


def test_what_is_not_read_is_not_opened_and_what_was_begun_is_closed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("a.jpg", memoryview(bytes(3 << 20)), {})
    opened: list[MemoryFile] = []
    opens = MemoryFileSystem._open

    def counted(self: MemoryFileSystem, *args: object, **kwargs: object) -> MemoryFile:
        opened.append(opens(self, *args, **kwargs))
        return opened[-1]

    def close(self: MemoryFile) -> None:
        opened.remove(self)

    monkeypatch.setattr(MemoryFileSystem, "_open", counted)
    monkeypatch.setattr(MemoryFile, "close", close)
    body = store.get("a.jpg")
    assert not opened
    next(body.pieces)
    assert len(opened) == 1
    del body
    assert not opened


def test_a_file_that_has_gone_when_it_is_read_is_missing(store: Store) -> None:
    store.put("a.jpg", memoryview(b"content"), {})
    body = store.get("a.jpg")
    store.remove("a.jpg")
    with pytest.raises(StoreFailure) as caught:
        next(body.pieces)
    assert caught.value.fault is Fault.MISSING


def test_an_archive_is_a_store_that_is_only_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("photos/a.jpg", b"content")
        archive.writestr("other/b.jpg", b"content")
    store = FileStore(StoreSettings(f"zip://photos::{tmp_path}/a.zip"))
    assert [entry.name for entries in store.entries() for entry in entries] == ["a.jpg"]
    assert b"".join(store.get("a.jpg").pieces) == b"content"
    with pytest.raises(StoreFailure):
        store.put("c.jpg", memoryview(b""), {})
    whole = FileStore(StoreSettings(f"zip://::{tmp_path}/a.zip"))
    assert {entry.name for entries in whole.entries() for entry in entries} == {"photos/a.jpg", "other/b.jpg"}
    assert b"".join(whole.get("photos/a.jpg").pieces) == b"content"


@pytest.mark.parametrize(
    ("error", "fault", "why"),
    [
        (PermissionError(""), Fault.DENIED, "the store denies it: no permission"),
        (
            UnicodeDecodeError("utf-8", b"\xe9", 0, 1, ""),
            Fault.BAD_NAME,
            "the store has a file whose name is not UTF-8",
        ),
    ],
)
def test_a_folder_that_cannot_be_listed_is_a_failure_of_its_own_and_no_empty_one(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: Exception, fault: Fault, why: str
) -> None:
    ls = MemoryFileSystem.ls

    def failing(self: MemoryFileSystem, path: str, *args: object, **kwargs: object) -> object:
        if path.endswith("/closed"):
            raise error
        return ls(self, path, *args, **kwargs)

    for name in ("a.jpg", "open/b.jpg", "open/closed/c.jpg"):
        store.put(name, memoryview(b"content"), {})
    monkeypatch.setattr(MemoryFileSystem, "ls", failing)
    with pytest.raises(StoreFailure) as caught:
        list(store.entries())
    assert caught.value.fault is fault
    folders = {folder.path: folder for folder in Listing(store, SourceSettings(None), ()).folders()}
    assert [folder.names() for folder in folders.values()] == [["a.jpg"], ["b.jpg"], []]
    assert (said := folders["open/closed"].error) is not None
    assert said.detail == f"the folder cannot be listed: {why}"
    if fault is Fault.DENIED:  # a target would take what is in it for gone
        with pytest.raises(StoreFailure):
            list(everything(store))


def test_what_is_missing_or_cannot_be_reached_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreFailure, match="does not exist"):
        list(FileStore(StoreSettings("memory://nothing-is-here")).entries())
    with pytest.raises(StoreFailure) as caught:
        list(FileStore(StoreSettings(f"zip://photos::{tmp_path}/gone.zip")).entries())
    assert caught.value.fault is Fault.MISSING


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("paramiko", "paramiko"),
        ("smbprotocol.exceptions", "smbprotocol"),
        ("smbclient", "smbprotocol"),
        ("a_b.c", "a-b"),
    ],
)
def test_a_library_that_is_missing_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, module: str, package: str
) -> None:
    def lacking(*_: object, **__: object) -> None:  # as fsspec does it
        raise ImportError("some text of fsspec's own") from ModuleNotFoundError("No module", name=module)

    monkeypatch.setattr(fsspec.core, "url_to_fs", lacking)
    with pytest.raises(StoreFailure) as caught:
        FileStore(StoreSettings("sftp://host/photos")).look("a.jpg")
    assert caught.value.fault is Fault.NO_STORE
    assert caught.value.text.startswith(f"needs {package}, which is not installed; to have it: ")
    assert caught.value.text.endswith(f" {package}")


class _Renaming(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Files that are renamed, and never over another, as SMB does it; and a server that may be away."""

    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    away: ClassVar[list[Exception]] = []  # what the next calls raise

    def mv(self, path1: str, path2: str, **_: object) -> None:
        if self.exists(path2):
            raise OSError(errno.EEXIST, "File exists")
        super().mv(path1, path2)

    def info(self, path: str, **kwargs: object) -> Any:
        self.answer()
        return super().info(path, **kwargs)

    def answer(self) -> None:
        if self.away:
            raise self.away.pop()


@pytest.fixture
def renaming(monkeypatch: pytest.MonkeyPatch) -> FileStore:
    monkeypatch.setattr(_Renaming, "store", {})
    monkeypatch.setattr(_Renaming, "pseudo_dirs", [""])
    monkeypatch.setattr(_Renaming, "away", [])

    def opened(*_: object, **__: object) -> tuple[Any, str]:
        fs = _Renaming(skip_instance_cache=True)
        fs.answer()
        return fs, "/place"

    monkeypatch.setattr(fsspec.core, "url_to_fs", opened)
    monkeypatch.setattr(filesystems, "_FIRST_PAUSE", 0.001)
    return FileStore(StoreSettings("sftp://host/place", retry=0.02))


def test_a_file_is_renamed_to_its_place_whole_and_also_where_a_rename_does_not_replace(renaming: FileStore) -> None:
    renaming.put("a.jpg", memoryview(b"first"), {})
    asked: list[bytes] = []
    renaming.put("a.jpg", memoryview(b"new"), {}, before_rename=lambda: asked.append(_content(renaming)))
    assert (asked, _content(renaming)) == ([b"first"], b"new")
    assert list(_Renaming.store) == ["/place/a.jpg"]


def test_a_file_whose_rename_is_forbidden_does_not_get_its_name(renaming: FileStore) -> None:
    def lost() -> None:
        raise TargetTrouble("another run has taken the lease")

    with pytest.raises(TargetTrouble, match="taken"):
        renaming.put("a.jpg", memoryview(b"new"), {}, before_rename=lost)
    assert not _Renaming.store


def _content(store: Store) -> bytes:
    return b"".join(store.get("a.jpg").pieces)


def test_a_connection_that_was_lost_is_made_again_and_a_read_goes_on(
    renaming: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(range(256)) * 2**13
    renaming.put("a.jpg", memoryview(content), {})
    _Renaming.away[:] = [ConnectionResetError()]
    body = renaming.get("a.jpg")
    _Renaming.away[:] = [ConnectionResetError(), ConnectionResetError()]
    assert renaming.look("a.jpg") == body.entry  # a try to connect fails as well
    first = next(body.pieces)
    read = MemoryFile.read

    def breaks_off(self: MemoryFile, *arguments: int) -> bytes:
        monkeypatch.setattr(MemoryFile, "read", read)
        raise EOFError

    monkeypatch.setattr(MemoryFile, "read", breaks_off)
    assert bytes(first) + b"".join(body.pieces) == content


@pytest.mark.parametrize(
    ("error", "fault", "text"),
    [
        (ConnectionRefusedError(), Fault.NO_STORE, "cannot be reached (ConnectionRefusedError)"),
        (type("AuthenticationException", (Exception,), {})(), Fault.NO_STORE, "refuses the credentials"),
        (OSError(errno.ENOENT, "as SMB says it"), Fault.MISSING, "has no such file"),
        (OSError(errno.EACCES, "as SMB says it"), Fault.DENIED, "denies it: no permission"),
        (TypeError("connect() got an unexpected keyword"), Fault.NO_STORE, "fails (TypeError)"),
    ],
)
def test_a_server_that_takes_no_connection_is_no_store(
    renaming: FileStore, error: Exception, fault: Fault, text: str
) -> None:
    _Renaming.away[:] = [error] * 99
    with pytest.raises(StoreFailure) as caught:
        renaming.look("a.jpg")
    assert caught.value.fault is fault
    assert caught.value.text.startswith(text)


def test_a_connection_that_is_lost_does_not_look_like_nothing(renaming: FileStore) -> None:
    renaming.put("a.jpg", memoryview(b"content"), {})
    _Renaming.away[:] = [ConnectionResetError()]
    assert [entry.name for entries in renaming.entries() for entry in entries] == ["a.jpg"]
    _Renaming.away[:] = [ConnectionResetError()]
    renaming.remove("a.jpg")
    assert not _Renaming.store
    renaming.remove("a.jpg")
