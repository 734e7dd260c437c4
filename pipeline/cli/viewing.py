"""How a page of pictures is seen: in which folder a server has to begin for its addresses to lead to the target."""

from __future__ import annotations

import os
import shlex
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote

from pipeline.errors import printable


def how_to_see(page: Path, target: Path, base_url: str) -> str:
    """One line: what to type or open, or why the pictures will not be seen where `page` is.

    `base_url` begins the addresses in the page, and ends with a slash unless it is empty.
    """
    page, target = Path(os.path.realpath(page)), Path(os.path.realpath(target))
    if "//" in base_url:
        return f"open it in a browser; its pictures come from {base_url}"
    if not base_url.startswith("/"):
        return _beside(page, target, base_url)
    below = PurePosixPath(unquote(base_url)).parts[1:]
    root = target.parents[len(below) - 1] if below else target
    if target.parts[-len(below) :] != below and below:
        return f"its pictures are looked for at {base_url} of its server: publish {printable(str(target))} there"
    if not page.is_relative_to(root):
        return f"publish it in {printable(str(root))}, where {base_url} is the target"
    name = shlex.quote(short(root))
    address = quote(page.relative_to(root).as_posix())
    return f"to see it: python3 -m http.server -b 127.0.0.1 -d {name} 8000, then http://127.0.0.1:8000/{address}"


def _beside(page: Path, target: Path, base_url: str) -> str:
    """For addresses that are relative to the page."""
    if os.path.normpath(page.parent / unquote(base_url)) == str(target):
        return "open it in a browser"
    needed = quote(os.path.relpath(target, page.parent))
    return f"its addresses do not lead to the target from there: --base-url {shlex.quote(needed + '/')} makes them"


def short(path: Path) -> str:
    """The absolute `path` as it is typed in the current folder, printable."""
    return printable(os.path.relpath(path) if path.is_relative_to(os.getcwd()) else str(path))
