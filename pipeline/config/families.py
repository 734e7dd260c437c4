"""Families: one rendition in the config that stands for several, one for each of its widths and formats.

A family is taken apart in the tree of nodes, before the tree is validated. Each member is then a rendition like any
other. The positions of its width and format are those in the lists, so that an error names the right place. In the
place of the list of formats there may be a mapping, of each format to keys that are for it alone.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from pipeline.config.formats import ONLY_FOR, SHAPED
from pipeline.config.node import KeyPath, Node, Position, Problem, got, key_path
from pipeline.model.spec import Format, Spec

MOST = 100  # members of a family; the longest sensible list has a quarter of that
LISTS = {"widths": "width", "formats": "format"}  # by list, the key that it takes the place of
_WORD = re.compile(r"[A-Za-z0-9]{1,8}")


@dataclass(frozen=True, slots=True)
class Member:
    """One rendition of a family: the family's name, and where its own keys are in the lists (`width`: `widths[1]`), or
    in the mapping (`quality`: `formats.avif.quality`).
    """

    family: str
    places: Mapping[str, str]


def expanded(renditions: Node, path: KeyPath) -> tuple[Node, dict[str, Member], list[Problem]]:
    """The `renditions` at `path` with each family replaced by its members, the members by name, and what is wrong with
    the lists.

    Where `widths` is not a list, `formats` neither list nor mapping, or one of them empty, the rendition stays as it
    is: validation reports the error.
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
        problems += [*wrong, *_twins(at, node), *_shapes(at, node), *_not_for_one_format(at, node)]
        if wrong or not _is_family(node):
            nodes[name] = _listed(node) if wrong else node
            continue
        mine: dict[str, Node] = {}
        for member_name, member, member_node in _members(name, node):
            if member_name in renditions.value or member_name in members:
                text = f'makes a rendition "{member_name}", which is there already'
                problems.append(Problem(_position(member_node), key_path(at), text))
            mine[member_name], members[member_name] = member_node, member
            keys[member_name] = renditions.keys[name]
        _leave_out_what_only_some_formats_know([(node, members[name].places) for name, node in mine.items()])
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
    there = [key for key in LISTS if node.child(key) is not None]
    return bool(there) and all(_choices(key, node) for key in there)


def _listed(node: Node) -> Node:
    """The rendition with a list in the place of a mapping of formats, which validation does not know."""
    several = node.child("formats")
    if not (named := _mapping(several)) or several is None:
        return node
    return node.put(("formats",), replace(several, value=[Node(several.keys[name], name) for name in named]))


def _wrong_lists(at: KeyPath, node: Node) -> Iterator[Problem]:
    """What keeps a family from being taken apart."""
    count = 1
    for key, single in LISTS.items():
        many = node.child(key)
        if many is None or not isinstance(many.value, list | dict):
            continue
        path = (*at, key)
        count *= max(1, len(many.children))
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


def _not_for_one_format(at: KeyPath, node: Node) -> Iterator[Problem]:
    """Under a format: keys by which the members of a family would be different pictures, and what is no mapping."""
    for format_name, own in _mapping(node.child("formats")).items():
        path = (*at, "formats", format_name)
        if own.value is not None and not isinstance(own.value, dict):
            text = f"must be a mapping of keys for this format, such as {{quality: 60}} ({got(own)})"
            yield Problem(own.position, key_path(path), text)
        for key in _mapping(own):
            if key not in ONLY_FOR:
                text = f"is no key for one format; those are {', '.join(ONLY_FOR)}"
                yield Problem(own.keys[key], key_path((*path, key)), text)


@dataclass(frozen=True, slots=True)
class _Choice:
    """One entry of a list, or of the mapping of formats."""

    key: str  # of the member: width or format
    place: str  # in the rendition
    node: Node
    word: str  # in the member's name
    own: Node | None = None  # the mapping of keys that are for it alone


def _choices(key: str, node: Node) -> list[_Choice]:
    """What there is to choose from under `key` of a rendition; nothing where that is wrong or left out."""
    many = node.child(key)
    if many is None:
        return []
    if isinstance(many.value, list):
        return [
            _Choice(LISTS[key], key_path((key, index)), entry, _word(index, entry))
            for index, entry in enumerate(many.value)
            if not _is_twin(index, many.value)
        ]
    if key != "formats":
        return []
    named = [(name, Node(many.keys[name], name), own) for name, own in _mapping(many).items()]
    return [
        _Choice(LISTS[key], key_path((key, name)), entry, _word(index, entry), own)
        for index, (name, entry, own) in enumerate(named)
    ]


def _members(name: str, node: Node) -> Iterator[tuple[str, Member, Node]]:
    """The name, the member and the node of each, by width and then by format, in the order of the lists."""
    if not isinstance(node.value, dict):
        return
    common = {key: value for key, value in node.value.items() if key not in LISTS}
    for chosen in itertools.product(*filter(None, (_choices(key, node) for key in LISTS))):
        own = {choice.key: choice.node for choice in chosen}
        places = {choice.key: choice.place for choice in chosen}
        positions = {key: entry.position for key, entry in own.items()}
        for choice in chosen:
            for key, value in _mapping(choice.own).items():
                own[key], places[key] = value, f"{choice.place}.{key}"
            positions |= {} if choice.own is None else choice.own.keys
        values = {key: value for key, value in (common | own).items() if key not in places or value.value is not None}
        member = replace(node, value=values, keys=node.keys | positions)
        yield "-".join([name, *(choice.word for choice in chosen)]), Member(name, places), member


def _is_twin(index: int, nodes: list[Node]) -> bool:
    return str(nodes[index].value) in (str(earlier.value) for earlier in nodes[:index])


def _position(member: Node) -> Position:
    """The position of the member's first own value."""
    return next(member.keys[key] for key in LISTS.values() if key in member.keys)


def _word(index: int, node: Node) -> str:
    """A width or format in a member's name. For a wrong value, a word that is valid in a name."""
    text = str(node.value)
    return text if _WORD.fullmatch(text) else f"item{index}"


def _leave_out_what_only_some_formats_know(members: Collection[tuple[Node, Mapping[str, str]]]) -> None:
    """Drop `quality` from the PNGs of a family that has AVIFs too. A key that no member knows stays and is an error; so
    is one that is said of a format by name, and so among the `places` of a member.
    """
    for key, formats in ONLY_FOR.items():
        refusing = [(member, places) for member, places in members if _format(member) not in (None, *formats)]
        if len(refusing) == len(members):
            continue
        for member, places in refusing:
            if isinstance(member.value, dict) and key not in places:
                member.value.pop(key, None)


def _mapping(node: Node | None) -> dict[str, Node]:
    return node.value if node is not None and isinstance(node.value, dict) else {}


def _format(member: Node) -> Format | None:
    """The member's format; None where the value is not a format."""
    node = member.child("format")
    if node is None:
        return Spec("").format
    return Format(node.value) if node.value in tuple(Format) else None
