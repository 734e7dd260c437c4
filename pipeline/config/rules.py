"""Rules: the renditions of some pictures, written as changes to those of all.

A rule is merged with the renditions of the config in the tree of nodes, before families are taken apart and the tree is
validated. Each node keeps its position, so that an error names the line that has the wrong value.
"""

from __future__ import annotations

from dataclasses import replace

from pipeline.config.families import LISTS
from pipeline.config.formats import ONLY_FOR
from pipeline.config.node import KeyPath, Node, Problem, did_you_mean, key_path

MOST = 100  # rules; each is merged with all renditions of the config


def rendition_paths(root: Node) -> list[KeyPath]:
    """The places of renditions: that of the config, and that in each rule, where they are mappings."""
    rules = root.child("rules")
    count = min(MOST, len(_list(rules)))
    paths: list[KeyPath] = [("renditions",), *(("rules", number, "renditions") for number in range(count))]
    return [path for path in paths if root.deepest(path)[1] == path and isinstance(root.deepest(path)[0].value, dict)]


def merged(root: Node) -> tuple[Node, list[Problem]]:
    """The tree with all renditions of the pictures that a rule matches in the place of those in the rule."""
    common, *rest = rendition_paths(root) or [()]
    problems: list[Problem] = []
    rules = root.child("rules")
    if rules is not None and (count := len(_list(rules))) > MOST:
        problems.append(Problem(rules.position, "rules", f"are {count:,}; {MOST} are the most"))
    if common != ("renditions",):
        return root, problems
    for path in rest:
        renditions, wrong = _merged(root.deepest(common)[0], root.deepest(path)[0], path)
        root = root.put(path, renditions)
        problems += wrong
    return root, problems


def _merged(common: Node, own: Node, path: KeyPath) -> tuple[Node, list[Problem]]:
    """`own`, the renditions of a rule, over those of the config; `false` leaves one out."""
    theirs, mine = _mapping(common), _mapping(own)
    nodes, problems = dict(theirs), []
    for name, node in mine.items():
        if node.value is False:
            if name not in theirs:
                text = f"is no rendition to leave out{did_you_mean(name, theirs)}"
                problems.append(Problem(own.keys[name], key_path((*path, name)), text))
            nodes.pop(name, None)
        else:
            nodes[name] = _changed(theirs[name], node) if name in theirs else node
    if not nodes and mine:
        text = "leaves nothing to be made; name these pictures in the exclude of their source"
        problems.append(Problem(own.position, key_path(path), text))
    return replace(own, value=nodes, keys=common.keys | own.keys), problems


def _changed(rendition: Node, by: Node) -> Node:
    """A rendition whose keys are set anew, or taken back where there is no value, `by` the node of a rule.

    What was for another format is left out, and so is a list that a single value takes the place of.
    """
    if not isinstance(rendition.value, dict) or not isinstance(by.value, dict):
        return by
    keys = by.value
    formats = _formats(keys)
    gone = {key for key, known in ONLY_FOR.items() if formats and not formats & set(known)}
    for many, single in LISTS.items():
        gone |= {many} if single in keys else set()
        gone |= {single} if many in keys else set()
    kept = {key: node for key, node in rendition.value.items() if key not in gone}
    values = {key: node for key, node in (kept | keys).items() if node.value is not None}
    return replace(by, value=values, keys=rendition.keys | by.keys)


def _formats(keys: dict[str, Node]) -> set[str]:
    """The formats that these keys of a rendition ask for by name."""
    if "format" in keys:
        return {str(keys["format"].value)}
    several = keys.get("formats")
    listed = {node.value for node in _list(several) if isinstance(node.value, str)}
    return listed if several is None else listed | set(_mapping(several))


def _mapping(node: Node) -> dict[str, Node]:
    return node.value if isinstance(node.value, dict) else {}


def _list(node: Node | None) -> list[Node]:
    return node.value if node is not None and isinstance(node.value, list) else []
