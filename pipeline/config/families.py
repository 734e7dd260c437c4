"""Families: one rendition in the config that stands for several, one for each of its widths and formats.

They are taken apart in the tree of nodes, before anything is checked: every member then is a rendition like any other,
whose width and format stand where they stand in the lists, so that what is wrong with one is told at its place.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from pydantic import ValidationError

from pipeline.config.node import Node, Position, Problem, key_path
from pipeline.config.rendition import SHAPED, Rendition

MOST = 100  # members of a family; the longest honest list has a quarter of that
_LISTS = {"widths": "width", "formats": "format"}
_WORD = re.compile(r"[A-Za-z0-9]{1,8}")
_OF_SOME_FORMATS = "is only for "  # how a rendition refuses what its format does not know


@dataclass(frozen=True, slots=True)
class Member:
    """One rendition of a family: whose it is, and the places of what is its own, by key (`width`: `widths[1]`)."""

    family: str
    places: Mapping[str, str]


def expanded(root: Node) -> tuple[Node, dict[str, Member], list[Problem]]:
    """The tree with every family's members in its place, who they are by name, and what is wrong with the lists.

    Lists that are none, or empty, are left for the schema to complain about.
    """
    renditions = root.child("renditions")
    if renditions is None or not isinstance(renditions.value, dict):
        return root, {}, []
    nodes: dict[str, Node] = {}
    keys = dict(renditions.keys)
    members: dict[str, Member] = {}
    problems: list[Problem] = []
    for name, node in renditions.value.items():
        wrong = list(_wrong_lists(name, node))
        problems += [*wrong, *_twins(name, node), *_shapes(name, node)]
        if wrong or not _is_family(node):
            nodes[name] = node
            continue
        mine: dict[str, Node] = {}
        for member_name, member, one in _members(name, node):
            if member_name in renditions.value or member_name in members:
                text = f'makes a rendition "{member_name}", which is there already'
                problems.append(Problem(_position(one), key_path(("renditions", name)), text))
            mine[member_name], members[member_name] = one, member
            keys[member_name] = renditions.keys[name]
        _leave_out_what_only_some_formats_know(mine)
        nodes |= mine
    if not members or not isinstance(root.value, dict):
        return root, members, problems
    tree = {**root.value, "renditions": replace(renditions, value=nodes, keys=keys)}
    return replace(root, value=tree), members, problems


def in_the_file(problem: Problem, members: Mapping[str, Member]) -> Problem:
    """A problem of a member as one of what is written in the file."""
    for name in sorted(members, key=len, reverse=True):
        prefix = key_path(("renditions", name))
        if problem.path == prefix or problem.path.startswith(prefix + "."):
            member, key = members[name], problem.path[len(prefix) + 1 :]
            path = key_path(("renditions", member.family))
            return problem._replace(path=f"{path}.{member.places.get(key, key)}" if key else path)
    return problem


def _is_family(node: Node) -> bool:
    lists = [node.child(key) for key in _LISTS]
    return any(lists) and all(one is None or (isinstance(one.value, list) and one.value) for one in lists)


def _wrong_lists(name: str, node: Node) -> Iterator[Problem]:
    """What is wrong with a family as such, so that it cannot be taken apart."""
    count = 1
    for key, single in _LISTS.items():
        many = node.child(key)
        if many is None or not isinstance(many.value, list):
            continue
        path = ("renditions", name, key)
        count *= max(1, len(many.value))
        if node.child(single) is not None:
            yield Problem(node.keys[key], key_path(path), f"stands in the place of {single}; leave one of them out")
    if count > MOST:
        text = f"makes {count:,} renditions of every picture; {MOST} are the most"
        yield Problem(node.position, key_path(("renditions", name)), text)


def _twins(name: str, node: Node) -> Iterator[Problem]:
    """What stands in a list for the second time."""
    for key in _LISTS:
        many = node.child(key)
        nodes = many.value if many is not None and isinstance(many.value, list) else []
        for index, one in enumerate(nodes):
            if _is_twin(index, nodes):
                yield Problem(one.position, key_path(("renditions", name, key, index)), "is there twice")


def _shapes(name: str, node: Node) -> Iterator[Problem]:
    """A height that is the same for all widths, where the box gives the shape: pages take a family for one picture."""
    widths, fit = node.child("widths"), node.child("fit")
    several = widths is not None and isinstance(widths.value, list) and len(widths.value) > 1
    if several and fit is not None and fit.value in SHAPED and node.child("height") is not None:
        text = "gives each of the widths another shape; write aspect: 16:9 in its place, or one width"
        yield Problem(node.keys["height"], key_path(("renditions", name, "height")), text)


def _members(name: str, node: Node) -> Iterator[tuple[str, Member, Node]]:
    """Each member: its name, who it is, and its own node. By width, then by format, in the order of the lists."""
    if not isinstance(node.value, dict):
        return
    common = {key: one for key, one in node.value.items() if key not in _LISTS}
    choices = [
        [(key, index, one) for index, one in enumerate(many.value) if not _is_twin(index, many.value)]
        for key in _LISTS
        if (many := node.value.get(key)) is not None and isinstance(many.value, list)
    ]
    for chosen in itertools.product(*choices):
        own = {_LISTS[key]: one for key, _, one in chosen}
        places = {_LISTS[key]: f"{key}[{index}]" for key, index, _ in chosen}
        words = [_word(index, one) for _, index, one in chosen]
        places_of = {key: one.position for key, one in own.items()}
        member = replace(node, value=common | own, keys=node.keys | places_of)
        yield "-".join([name, *words]), Member(name, places), member


def _is_twin(index: int, nodes: list[Node]) -> bool:
    return str(nodes[index].value) in (str(one.value) for one in nodes[:index])


def _position(member: Node) -> Position:
    """Where the member's first own value stands."""
    return next(member.keys[key] for key in _LISTS.values() if key in member.keys)


def _word(index: int, node: Node) -> str:
    """What stands for a width or format in a member's name; for one that is wrong, something that can be a name."""
    text = str(node.value)
    return text if _WORD.fullmatch(text) else f"item{index}"


def _leave_out_what_only_some_formats_know(members: Mapping[str, Node]) -> None:
    """Take `quality` from the PNGs of a family that is AVIF too: what no format of it knows stays, as an error."""
    refused = {name: _refused(node) for name, node in members.items()}
    of_all = set.intersection(*refused.values())
    for name, node in members.items():
        if isinstance(node.value, dict):
            for key in refused[name] - of_all:
                del node.value[key]


def _refused(member: Node) -> set[str]:
    """The keys that the member's format does not know."""
    try:
        Rendition.model_validate(member.plain())
    except ValidationError as error:
        details = error.errors(include_url=False)
        return {str(one["loc"][0]) for one in details if one["msg"].startswith(_OF_SOME_FORMATS) and one["loc"]}
    return set()
