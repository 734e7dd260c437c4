"""Warnings by kind: what was lost although a rendition was made (pages, frames, a profile, metadata)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from pipeline.model.rendering import CHATTER

_NUMBER = re.compile(r"\d+")
_EXPLAINED = re.compile(r"[:;] ")  # what follows is about the one picture


def ours(warnings: Iterable[str]) -> tuple[str, ...]:
    """The warnings without what libraries printed."""
    return tuple(text for text in warnings if not text.startswith(CHATTER))


def kinds(warnings: Iterable[str]) -> set[str]:
    """The kinds of the warnings of one picture."""
    return {kind(text) for text in ours(warnings)}


def kind(warning: str) -> str:
    """`first of N frames only` for `first of 3 frames only: jpeg holds none`. Numbers of bits stay: there are few."""
    text = _EXPLAINED.split(warning, maxsplit=1)[0]
    return text if " bits " in text else _NUMBER.sub("N", text)


def by_frequency(counts: Counter[str]) -> dict[str, int]:
    """Numbers of pictures by kind, the most frequent first."""
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))
