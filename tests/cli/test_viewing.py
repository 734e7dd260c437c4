"""A page of pictures comes with the command that shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli.viewing import how_to_see


@pytest.mark.parametrize(
    ("page", "target", "base_url", "said"),
    [
        (
            "public/index.html",
            "public/img",
            "/img/",
            "to see it: python3 -m http.server -b 127.0.0.1 -d public 8000, then http://127.0.0.1:8000/index.html",
        ),
        (
            "my site/a b.html",
            "my site/i m/g",
            "/i%20m/g/",
            "to see it: python3 -m http.server -b 127.0.0.1 -d 'my site' 8000, then http://127.0.0.1:8000/a%20b.html",
        ),
        ("page.html", "public/img", "/img/", "publish it in {root}/public, where /img/ is the target"),
        (
            "public/index.html",
            "thumbs",
            "/img/",
            "its pictures are looked for at /img/ of its server: publish {root}/thumbs there",
        ),
        (
            "index.html",
            "img",
            "https://example.org/i/",
            "open it in a browser; its pictures come from https://example.org/i/",
        ),
        ("index.html", "img", "img/", "open it in a browser"),
        ("index.html", "img", "", "its addresses do not lead to the target from there: --base-url img/ makes them"),
        (
            "www/index.html",
            "i g",
            "",
            "its addresses do not lead to the target from there: --base-url ../i%20g/ makes them",
        ),
    ],
)
def test_how_a_page_is_seen(
    page: str, target: str, base_url: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert how_to_see(tmp_path / page, tmp_path / target, base_url) == said.format(root=tmp_path)
