"""How a config's keys and values are named in messages."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable
from difflib import get_close_matches

from pipeline.config.node import Node
from pipeline.errors import printable

_WORD = re.compile(r"\w[\w.-]{0,59}")
_LONGEST = 60


def quoted(text: str) -> str:
    """`text` in double quotes on one line, shortened."""
    cut = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return f'"{printable(cut)}"'


def key_path(path: Iterable[str | int]) -> str:
    """`renditions.thumb.width`, `source.include[0]`."""
    named = ""
    for part in path:
        if isinstance(part, int):
            named += f"[{part}]"
        else:
            named += ("." if named else "") + (part if _WORD.fullmatch(part) else quoted(part))
    return named


def got(node: Node) -> str:
    """What stands in the file instead of what is allowed, with the way out where it is known."""
    if not isinstance(node.value, str):
        return f"got {_unquoted(node.value)}"
    digits = re.sub(r"[_, ]", "", node.value)
    if digits.isascii() and digits.isdigit():
        way_out = "remove the quotes" if digits == node.value else f"write {digits[:_LONGEST]}"
        return f"got the text {quoted(node.value)}; {way_out}"
    return f"got {quoted(node.value)}"


def _unquoted(value: object) -> str:
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else f"{'-' if value < 0 else ''}.inf"
    if value is None:
        return "nothing"
    return str(value).lower() if isinstance(value, bool) else str(value)


def closest(word: str, known: Collection[str]) -> str | None:
    """The one of `known` that was probably meant."""
    return next(iter(get_close_matches(word, sorted(known), n=1, cutoff=0.6)), None)


def did_you_mean(word: str, known: Collection[str]) -> str:
    """`; did you mean "width"?`, or nothing."""
    close = closest(word.lower(), known)
    return f"; did you mean {quoted(close)}?" if close else ""
