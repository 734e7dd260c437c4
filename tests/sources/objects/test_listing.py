from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from pipeline.config.settings import SourceSettings
from pipeline.sources.local import LocalSource
from pipeline.sources.objects.listing import Listing
from pipeline.sources.source import Folder
from pipeline.stores.store import Body, Entry, Fault, StoreFailure


class _Keys:
    """A store of keys without content."""

    def __init__(self, *keys: str, **texts: bytes) -> None:
        self._keys = keys
        self.texts = texts  # of each `.pipelineignore`, by folder; "root" for the root

    def entries(self) -> Iterator[Sequence[Entry]]:
        if any("//" in key for key in self._keys):
            raise StoreFailure(Fault.BAD_NAME, "has an object that cannot be named")
        yield [_entry(key) for key in self._keys]

    def entries_in(self, folder: str) -> tuple[list[Entry], list[str]]:
        inside = [key.removeprefix(f"{folder}/") for key in self._keys if not folder or key.startswith(f"{folder}/")]
        if any(key.startswith("/") for key in inside):
            raise StoreFailure(Fault.BAD_NAME, "has an object that cannot be named")
        prefix = f"{folder}/" if folder else ""
        below = dict.fromkeys(prefix + key.partition("/")[0] for key in inside if "/" in key)
        return [_entry(prefix + key) for key in inside if "/" not in key], list(below)

    def look(self, name: str) -> Entry | None:
        raise NotImplementedError

    def get(self, name: str) -> Body:
        text = self.texts[name.rpartition("/")[0] or "root"]
        return Body(Entry(name, len(text), 1, 0.0), iter([text]))

    def put(
        self,
        name: str,
        content: memoryview,
        headers: Mapping[str, str],
        *,
        replace: bool = True,
        over: Entry | None = None,
        before_rename: Callable[[], None] = lambda: None,
    ) -> Entry:
        raise NotImplementedError

    def remove(self, name: str) -> None:
        raise NotImplementedError


def _entry(key: str) -> Entry:
    return Entry(key, len(key), 1, 0.0)


def _listed(*keys: str, apart: Sequence[str] = (), **settings: tuple[str, ...]) -> dict[str, Folder]:
    listing = Listing(_Keys(*keys), SourceSettings(None, **settings), apart)  # type: ignore[arg-type]
    return {folder.path: folder for folder in listing.folders()}


def _names(folders: dict[str, Folder]) -> list[str]:
    return [folder.source(name) for folder in folders.values() for name in folder.names()]


def test_the_files_of_a_folder_come_together_whatever_the_order_of_keys() -> None:
    folders = _listed("a/b.jpg", "a/b/c.jpg", "a/é.jpg", "a/d.jpg", "a.jpg")
    assert list(folders) == ["", "a", "a/b"]
    assert folders["a"].names() == ["b.jpg", "d.jpg", "é.jpg"]


def test_what_is_left_out_of_folders_is_left_out_of_stores() -> None:
    keys = ("a.jpg", ".hidden/b.jpg", "@eaDir/c.jpg", "c/.d.jpg", "e.jpg.part", "raw/f.jpg", "thumbs/x/g.jpg", "i.png")
    folders = _listed(*keys, include=("*.jpg", "**/*.jpg"), exclude=("raw/",), apart=["thumbs"])
    assert _names(folders) == ["a.jpg"]
    assert (folders[""].unmatched, folders[""].example) == (1, "i.png")


def test_sidecars_come_with_their_pictures() -> None:
    folders = _listed("a.jpg", "a.jpg.yaml", "notes.yaml", include=("*.jpg",))
    assert (_names(folders), folders[""].sidecars) == (["a.jpg"], frozenset({"a.jpg"}))


def _marked(*keys: str, **texts: bytes) -> dict[str, Folder]:
    listing = Listing(_Keys(*keys, **texts), SourceSettings(None), ())
    return {folder.path: folder for folder in listing.folders()}


def test_a_sidecar_that_is_excluded_is_none() -> None:
    folders = _listed("a.jpg", "a.jpg.yaml", "b.jpg.yaml", exclude=("*.yaml",))
    assert (_names(folders), folders[""].sidecars) == (["a.jpg"], frozenset())


def test_markers_leave_out_what_they_do_on_disks_wherever_they_come_in_the_listing(tmp_path: Path) -> None:
    keys = (
        *("a/b.jpg", "a/.nomedia", "a/b/c.jpg", "a0/d.jpg", "a-/e.jpg", ".nomedia", "f/g.jpg", "f/.pipelineignore"),
        *("h/raw/i.jpg", "h/j.jpg", "h/k.jpg", "h/k.jpg.yaml", "h/.pipelineignore", "raw/l.jpg"),
        *("m/x.nomedia", "m/n.jpg", "h/deep/k.png", "h/deep/raw/o.jpg"),
    )
    texts = {"f": b" \n", "h": b"# drafts\nraw/\nk.*\n"}
    for key in keys:
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_bytes(texts.get(key.removesuffix("/.pipelineignore"), b""))
    on_disk = {folder.path: folder for folder in LocalSource(SourceSettings(tmp_path)).folders(())}
    in_store = _marked(*keys, **texts)
    assert _names(in_store) == ["a-/e.jpg", "a0/d.jpg", "h/j.jpg", "m/n.jpg", "m/x.nomedia", "raw/l.jpg"]
    assert sorted(_names(on_disk)) == _names(in_store)
    why = [{path: folder.left_out for path, folder in each.items() if folder.left_out} for each in (on_disk, in_store)]
    assert why[0] == why[1] == {"a": "it holds .nomedia", "f": "it holds an empty .pipelineignore"}


def test_patterns_of_the_root_hold_everywhere_and_go_on_over_many_objects() -> None:
    keys = [f"{number % 7}/{number:05}.{'png' if number % 2 else 'jpg'}" for number in range(5000)]
    folders = _marked(*keys, ".pipelineignore", root=b"*.png\n")
    assert sorted(_names(folders)) == sorted(key for key in keys if key.endswith("jpg"))
    assert sum(folder.unmatched for folder in folders.values()) == 2500


def test_a_pipelineignore_that_cannot_be_used_fails_its_folder() -> None:
    keys = ("a/b.jpg", "a/c/d.jpg", "a/.pipelineignore", "e/f.jpg", "e/.pipelineignore", "g.jpg")
    folders = _marked(*keys, a=b"!b.jpg", e=bytes(20_000))
    assert _names(folders) == ["g.jpg"]
    details = {path: folder.error.detail for path, folder in folders.items() if folder.error is not None}
    assert details.keys() == {"a", "e"}
    assert details["a"].startswith("the folder cannot be listed: .pipelineignore:1: a pattern cannot begin with !")
    assert details["e"] == "the folder cannot be listed: .pipelineignore is larger than 16 KiB"


def test_an_object_that_stands_for_a_folder_is_no_file() -> None:
    listing = Listing(_Markers(), SourceSettings(None), ())
    assert [(folder.path, folder.names()) for folder in listing.folders()] == [("photos", ["a.jpg"])]


class _Markers(_Keys):
    def entries(self) -> Iterator[Sequence[Entry]]:
        yield [Entry("photos", 0, 1, 0.0), Entry("photos/a.jpg", 5, 1, 0.0)]


def test_a_key_that_is_no_path_fails_its_folder_only() -> None:
    folders = _listed("a/b.jpg", "bad//c.jpg", "bad/d.jpg", "e/f/g.jpg")
    assert _names(folders) == ["a/b.jpg", "e/f/g.jpg"]
    error = folders["bad"].error
    assert error is not None
    assert error.detail == "the folder cannot be listed: the store has an object that cannot be named"


class _Piece(list[Entry]):
    """Counted while it lives."""


class _Many(_Keys):
    """Many keys, made when they are asked for."""

    alive = most = 0

    def entries(self) -> Iterator[Sequence[Entry]]:
        for number in range(200):
            piece = _Piece(_entry(f"folder {at % 7}/{number:03}-{at:02}.jpg") for at in range(100))
            weakref.finalize(piece, self._ended)
            self.alive += 1
            self.most = max(self.most, self.alive)
            yield piece
            del piece

    def _ended(self) -> None:
        self.alive -= 1


def test_a_listing_of_any_length_holds_a_piece_at_a_time() -> None:
    store = _Many()
    listing = Listing(store, SourceSettings(None), ())
    assert sum(folder.count for folder in listing.folders()) == 20_000
    assert store.most <= 2
    assert listing.known("folder 3", ["199-03.jpg"]).keys() == {"199-03.jpg"}
