"""Whether a target looks like a folder that is published as it is, with whatever lies in it."""

from __future__ import annotations

from pathlib import PurePath

_NAMES = frozenset({"static", "public", "public_html", "www", "htdocs", "_site", "dist"})


def looks_published(target: PurePath | str) -> bool:
    """Whether a folder in this path has a name that site generators and web servers use for what they publish."""
    return any(part.lower() in _NAMES for part in PurePath(target).parts)
