"""Families: one rendition in the config that stands for several, one for each of its widths and formats.

A family is taken apart in the tree of nodes, before the tree is validated. Each member is then a rendition like any
other. The positions of its width and format are those in the lists, so that an error names the right place.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from pipeline.config.formats import ONLY_FOR, SHAPED
from pipeline.config.node import KeyPath, Node, Position, Problem, key_path
from pipeline.model.spec import Format, Spec

MOST = 100  # members of a family; the longest sensible list has a quarter of that
LISTS = {"widths": "width", "formats": "format"}  # by list, the key that it takes the place of
_WORD = re.compile(r"[A-Za-z0-9]{1,8}")


@dataclass(frozen=True, slots=True)
class Member:
    """One rendition of a family: the family's name, and where its own keys are in the lists (`width`: `widths[1]`)."""

    family: str
    places: Mapping[str, str]


def expanded(renditions: Node, path: KeyPath) -> tuple[Node, dict[str, Member], list[Problem]]:
    """The `renditions` at `path` with each family replaced by its members, the members by name, and what is wrong with
    the lists.

    Where `widths` or `formats` is not a list, or empty, the rendition stays as it is: validation reports the error.
    """
    if not isinstance(renditions.value, dict):
        return renditions, {}, []
    nodes: dict[str, Node] = {}
    keys = dict(renditions.keys)
    members: dict[str, Member] = {}
    problems: list[Problem] = []
    for name, node in renditions.value.items():
        at = (*path, name)
        wrong = list(_wrong_lists(at, node))
        problems += [*wrong, *_twins(at, node), *_shapes(at, node)]
        if wrong or not _is_family(node):
            nodes[name] = node
            continue
        mine: dict[str, Node] = {}
        for member_name, member, member_node in _members(name, node):
            if member_name in renditions.value or member_name in members:
                text = f'makes a rendition "{member_name}", which is there already'
                problems.append(Problem(_position(member_node), key_path(at), text))
            mine[member_name], members[member_name] = member_node, member
            keys[member_name] = renditions.keys[name]
        _leave_out_what_only_some_formats_know(list(mine.values()))
        nodes |= mine
    return replace(renditions, value=nodes, keys=keys), members, problems


def in_the_file(problem: Problem, members: Mapping[str, Member], path: KeyPath) -> Problem:
    """The same problem with the key path that is written in the file: that of the family, not of a member.

    `members` are those of the renditions at `path`.
    """
    for name in sorted(members, key=len, reverse=True):
        prefix = key_path((*path, name))
        if problem.path == prefix or problem.path.startswith(prefix + "."):
            member, key = members[name], problem.path[len(prefix) + 1 :]
            family = key_path((*path, member.family))
            return problem._replace(path=f"{family}.{member.places.get(key, key)}" if key else family)
    return problem


def _is_family(node: Node) -> bool:
    lists = [node.child(key) for key in LISTS]
    return any(lists) and all(many is None or (isinstance(many.value, list) and many.value) for many in lists)


def _wrong_lists(at: KeyPath, node: Node) -> Iterator[Problem]:
    """What keeps a family from being taken apart."""
    count = 1
    for key, single in LISTS.items():
        many = node.child(key)
        if many is None or not isinstance(many.value, list):
            continue
        path = (*at, key)
        count *= max(1, len(many.value))
        if node.child(single) is not None:
            yield Problem(node.keys[key], key_path(path), f"stands in the place of {single}; leave one of them out")
    if count > MOST:
        text = f"makes {count:,} renditions of every picture; {MOST} are the most"
        yield Problem(node.position, key_path(at), text)


def _twins(at: KeyPath, node: Node) -> Iterator[Problem]:
    """Entries that are in a list for the second time."""
    for key in LISTS:
        many = node.child(key)
        nodes = many.value if many is not None and isinstance(many.value, list) else []
        for index, entry in enumerate(nodes):
            if _is_twin(index, nodes):
                yield Problem(entry.position, key_path((*at, key, index)), "is there twice")


def _shapes(at: KeyPath, node: Node) -> Iterator[Problem]:
    """A height that would give each width another shape. Pages treat the members of a family as one picture."""
    widths, fit = node.child("widths"), node.child("fit")
    several = widths is not None and isinstance(widths.value, list) and len(widths.value) > 1
    if several and fit is not None and fit.value in SHAPED and node.child("height") is not None:
        text = "gives each of the widths another shape; write aspect: 16:9 in its place, or one width"
        yield Problem(node.keys["height"], key_path((*at, "height")), text)


def _members(name: str, node: Node) -> Iterator[tuple[str, Member, Node]]:
    """The name, the member and the node of each, by width and then by format, in the order of the lists."""
    if not isinstance(node.value, dict):
        return
    common = {key: value for key, value in node.value.items() if key not in LISTS}
    choices = [
        [(key, index, entry) for index, entry in enumerate(many.value) if not _is_twin(index, many.value)]
        for key in LISTS
        if (many := node.value.get(key)) is not None and isinstance(many.value, list)
    ]
    for chosen in itertools.product(*choices):
        own = {LISTS[key]: entry for key, _, entry in chosen}
        places = {LISTS[key]: f"{key}[{index}]" for key, index, _ in chosen}
        words = [_word(index, entry) for _, index, entry in chosen]
        positions = {key: entry.position for key, entry in own.items()}
        member = replace(node, value=common | own, keys=node.keys | positions)
        yield "-".join([name, *words]), Member(name, places), member


def _is_twin(index: int, nodes: list[Node]) -> bool:
    return str(nodes[index].value) in (str(earlier.value) for earlier in nodes[:index])


def _position(member: Node) -> Position:
    """The position of the member's first own value."""
    return next(member.keys[key] for key in LISTS.values() if key in member.keys)


def _word(index: int, node: Node) -> str:
    """A width or format in a member's name. For a wrong value, a word that is valid in a name."""
    text = str(node.value)
    return text if _WORD.fullmatch(text) else f"item{index}"


def _leave_out_what_only_some_formats_know(members: Collection[Node]) -> None:
    """Drop `quality` from the PNGs of a family that has AVIFs too. A key that no member knows stays and is an error."""
    for key, formats in ONLY_FOR.items():
        refusing = [member for member in members if _format(member) not in (None, *formats)]
        if len(refusing) == len(members):
            continue
        for member in refusing:
            if isinstance(member.value, dict):
                member.value.pop(key, None)


def _format(member: Node) -> Format | None:
    """The member's format; None where the value is not a format."""
    node = member.child("format")
    if node is None:
        return Spec("").format
    return Format(node.value) if node.value in tuple(Format) else None
