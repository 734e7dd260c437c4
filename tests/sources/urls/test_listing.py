"""Lists of URLs by folder and name."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.config.settings import SourceSettings, UrlSettings
from pipeline.errors import ErrorKind
from pipeline.sources.urls.listing import Listing


def test_text_that_is_none_fails_its_picture_or_is_replaced_and_ends_no_run(tmp_path: Path) -> None:
    """JSON can say half of a surrogate pair, which no file and no database takes."""
    path = tmp_path / "list.jsonl"
    rows = [{"url": "http://a/\ud800.jpg", "by": "x"}, {"url": "http://a/b.jpg", "by": "\udc00"}]
    path.write_text("\n".join(map(json.dumps, rows)))
    urls = UrlSettings(columns=("by",))
    listing = Listing(SourceSettings(path, urls=urls), urls)
    assert [(folder.path, folder.names()) for folder in listing.folders()] == [("", ["line 1"]), ("a", ["b.jpg"])]
    error = listing.entries("", ["line 1"])["line 1"].error
    assert error is not None
    assert (error.kind, error.detail) == (ErrorKind.BAD_NAME, "line 1 of the list is not a URL that can be read")
    assert json.loads(listing.entries("a", ["b.jpg"])["b.jpg"].columns) == {"by": "?"}


def test_entries_can_be_asked_for_while_folders_are_listed(tmp_path: Path) -> None:
    folders = range(1200)  # more names than are taken from the list at once
    (tmp_path / "urls.txt").write_text("".join(f"http://site.example/{number:04}/p.jpg\n" for number in folders))
    urls = UrlSettings()
    listing = Listing(SourceSettings(tmp_path / "urls.txt", urls=urls), urls)

    listed = [(folder.path, set(listing.entries(folder.path, folder.names()))) for folder in listing.folders()]

    assert listed == [(f"site.example/{number:04}", {"p.jpg"}) for number in folders]
