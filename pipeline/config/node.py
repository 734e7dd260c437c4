"""A config as it was written: values with their positions, the problems found in it, and how messages name both."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import NamedTuple

from pipeline.errors import printable, without_secrets

Scalar = str | int | float | bool | None
Plain = Scalar | list["Plain"] | dict[str, "Plain"]
KeyPath = tuple[str | int, ...]


class Position(NamedTuple):
    """A position in the file; both count from 1, columns in characters."""

    line: int
    column: int


class Problem(NamedTuple):
    """Something wrong: its position, the path of its key, and what is allowed there. Problems sort by position."""

    position: Position
    path: str
    text: str


@dataclass(slots=True)
class Node:
    """One value. A list or a mapping holds nodes. `keys` holds the positions of a mapping's keys."""

    position: Position
    value: Scalar | list[Node] | dict[str, Node]
    keys: dict[str, Position] = field(default_factory=dict)
    size: int = 1  # nodes in it, aliases counted as often as they are used
    depth: int = 1

    @property
    def children(self) -> list[Node]:
        """The nodes directly below, in the order of the file."""
        if isinstance(self.value, dict):
            return list(self.value.values())
        return self.value if isinstance(self.value, list) else []

    def child(self, part: str | int) -> Node | None:
        """The node under a key or at an index, if there is one."""
        if isinstance(self.value, dict):
            return self.value.get(str(part))
        if isinstance(self.value, list) and isinstance(part, int) and part < len(self.value):
            return self.value[part]
        return None

    def deepest(self, path: KeyPath) -> tuple[Node, KeyPath]:
        """The last node that exists on the way to `path`, and its own path."""
        node = self
        for done, part in enumerate(path):
            below = node.child(part)
            if below is None:
                return node, path[:done]
            node = below
        return node, path

    def put(self, path: KeyPath, node: Node) -> Node:
        """The tree with `node` at `path`, where there is one."""
        if not path:
            return node
        below = self.child(path[0])
        if below is None:
            return self
        changed = below.put(path[1:], node)
        if isinstance(self.value, dict):
            return replace(self, value={**self.value, str(path[0]): changed})
        return replace(self, value=[changed if child is below else child for child in self.children])

    def plain(self) -> Plain:
        """The value without positions."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


_WORD = re.compile(r"\w[\w.-]{0,59}")
_LONGEST = 60


def quoted(text: str) -> str:
    """`text` in double quotes on one line, shortened."""
    cut = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return f'"{printable(cut)}"'


def key_path(path: Iterable[str | int]) -> str:
    """`renditions.thumb.width`, `source.include #1`: entries of lists are counted from 1, as lines are."""
    named = ""
    for part in path:
        if isinstance(part, int):
            named += f" #{part + 1}"
        else:
            named += ("." if named else "") + (part if _WORD.fullmatch(part) else quoted(part))
    return named


def got(node: Node) -> str:
    """The value that was found, for the end of a message, with the way out where it is known."""
    if not isinstance(node.value, str):
        return f"got {_unquoted(node.value)}"
    digits = re.sub(r"[_, ]", "", node.value)
    if digits.isascii() and digits.isdigit():
        way_out = "remove the quotes" if digits == node.value else f"write {digits[:_LONGEST]}"
        return f"got the text {quoted(node.value)}; {way_out}"
    return f"got {quoted(without_secrets(node.value))}"


def _unquoted(value: object) -> str:
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else f"{'-' if value < 0 else ''}.inf"
    if value is None:
        return "nothing"
    return str(value).lower() if isinstance(value, bool) else str(value)


def closest(word: str, known: Collection[str]) -> str | None:
    """The word of `known` that was probably meant."""
    return next(iter(get_close_matches(word, sorted(known), n=1, cutoff=0.6)), None)


def did_you_mean(word: str, known: Collection[str]) -> str:
    """`; did you mean "width"?`, or nothing."""
    close = closest(word.lower(), known)
    return f"; did you mean {quoted(close)}?" if close else ""
