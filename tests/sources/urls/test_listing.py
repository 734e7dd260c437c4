from __future__ import annotations

from pathlib import Path

from pipeline.config.settings import SourceSettings, UrlSettings
from pipeline.sources.urls.listing import Listing


def test_entries_can_be_asked_for_while_folders_are_listed(tmp_path: Path) -> None:
    folders = range(1200)  # more names than are taken from the list at once
    (tmp_path / "urls.txt").write_text("".join(f"http://site.example/{number:04}/p.jpg\n" for number in folders))
    urls = UrlSettings()
    listing = Listing(SourceSettings(tmp_path / "urls.txt", urls=urls), urls)

    listed = [(folder.path, set(listing.entries(folder.path, folder.names()))) for folder in listing.folders()]

    assert listed == [(f"site.example/{number:04}", {"p.jpg"}) for number in folders]
