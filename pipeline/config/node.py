"""A config as it was written: values with their positions, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

Scalar = str | int | float | bool | None
Plain = Scalar | list["Plain"] | dict[str, "Plain"]
KeyPath = tuple[str | int, ...]


class Mark(NamedTuple):
    """A position in the file; both count from 1, columns in characters."""

    line: int
    column: int


class Problem(NamedTuple):
    """One thing that is wrong: where, with which key, and what is allowed there. They sort by position."""

    mark: Mark
    path: str
    text: str


@dataclass(slots=True)
class Node:
    """One value. A list or a mapping holds nodes; a mapping's `keys` are where its keys stand."""

    mark: Mark
    value: Scalar | list[Node] | dict[str, Node]
    keys: dict[str, Mark] = field(default_factory=dict)
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
        """The last node there is on the way to `path`, and its own path."""
        node = self
        for done, part in enumerate(path):
            below = node.child(part)
            if below is None:
                return node, path[:done]
            node = below
        return node, path

    def plain(self) -> Plain:
        """The value without positions."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value
