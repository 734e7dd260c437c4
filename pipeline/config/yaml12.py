"""YAML text -> a tree of `Node`, each with its position, so that every later error can name line and column.

Scalars follow the YAML 1.2 core schema, as editors do: `no` and `on` are text, `010` is ten, `1_000` is text, `0o17` is
fifteen. PyYAML scans and parses the text (with its C parser where there is one). The tree is built here from its events
and not by its constructor, without recursion, so that depth and the expansion of aliases are bounded and no tag can
build an object.

PyYAML's errors are translated into sentences that say what to do about them (`_in_words`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from pipeline.config.node import Node, Position, Problem, Scalar, key_path
from pipeline.errors import printable

MAX_NODES = 10_000  # each use of an alias counts: far above any sensible config, far below what takes noticeable time
FEW_NODES = 200  # with `cheap`
MAX_DEPTH = 32
MAX_DIGITS = 100  # of a number; Python itself refuses to print integers of more than 4,300

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_PREFIXED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_SHORT = 2048  # characters of a text that is parsed twice for a better message, with `cheap`

_TOO_DEEP = f"more than {MAX_DEPTH} levels deep; a config needs four"


class Malformed(Exception):
    """The text is not YAML, or uses more of YAML than a config may. `text` is the message, with what to do."""

    def __init__(self, position: Position, text: str) -> None:
        self.position = position
        self.text = text
        super().__init__(position, text)


def scalar(text: str) -> Scalar:
    """The value of an unquoted scalar by the core schema of YAML 1.2. Raises ValueError for too long a number."""
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if not (_FLOAT.fullmatch(text) or _PREFIXED.fullmatch(text) or _SPECIAL.fullmatch(text)):
        return text
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of more than {MAX_DIGITS} digits")
    if _INTEGER.fullmatch(text):
        return int(text)
    if _PREFIXED.fullmatch(text):
        return int(text, 0)
    return float(text if _FLOAT.fullmatch(text) else text.replace(".", ""))


def parse(text: str, *, cheap: bool = False) -> tuple[Node | None, list[Problem]]:
    """The root of the tree (None where there are only comments), and problems for keys that occur twice.

    Raises `Malformed` for any other error: what follows it could only be guessed. With `cheap`, for texts from outside
    such as sidecars, few values are allowed, and errors in a long text have the terse wording of the C parser.
    """
    bad = _UNPRINTABLE.search(text)
    if bad:
        position = Position(text.count("\n", 0, bad.start()) + 1, bad.start() - text.rfind("\n", 0, bad.start()))
        raise Malformed(position, f"the character U+{ord(bad.group()):04X} is not allowed in YAML; remove it")
    builder = _Builder(FEW_NODES if cheap else MAX_NODES)
    try:
        for event in _events(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise _explained(text, error, again=not cheap or len(text) <= _SHORT) from None
    return builder.root, builder.problems


def _events(text: str, loader: type[yaml.SafeLoader]) -> Iterator[yaml.Event]:
    return yaml.parse(text, Loader=loader)


def _explained(text: str, error: yaml.MarkedYAMLError, *, again: bool) -> Malformed:
    """The error as a message. With `again` Python's parser reads the text too: its errors say more than the C one's."""
    try:
        for _ in _events(text, yaml.SafeLoader) if again else ():
            pass
    except yaml.MarkedYAMLError as better:
        error = better
    line, column, words = _in_words(error, text)
    return Malformed(Position(line, column), words)


def _position(event: yaml.Event) -> Position:
    at = event.start_mark
    return Position(1, 1) if at is None else Position(at.line + 1, at.column + 1)


@dataclass(slots=True)
class _Open:
    """A list or mapping that has begun and not ended."""

    node: Node
    anchor: str | None
    key: str | None = None  # of a mapping: the key that waits for its value
    first: bool = True  # whether the key occurs for the first time

    @property
    def wants_key(self) -> bool:
        return isinstance(self.node.value, dict) and self.key is None


class _Builder:
    """Builds the tree from the events of one document."""

    def __init__(self, most: int) -> None:
        self._most = most  # nodes
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}  # None while the anchored node is still open
        self._nodes = 0
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        """Add one event to the tree. Raises `Malformed`."""
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._start(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end()
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise Malformed(
                    _position(event), "a second document starts here; a config is one, without --- in between"
                )

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        position = _position(event)
        self._check(position, event.tag)
        if self._open and self._open[-1].wants_key:  # keys are text, as editors see them: `320:` is the name "320"
            self._key(position, event.value)
            return
        quoted = event.style is not None and event.style != ""
        try:
            node = Node(position, event.value if quoted else scalar(event.value))
        except ValueError as error:
            raise Malformed(position, f"{error} makes no sense here") from None
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        self._place(node)

    def _start(self, event: yaml.CollectionStartEvent) -> None:
        position = _position(event)
        self._check(position, event.tag)
        if len(self._open) >= MAX_DEPTH:
            raise Malformed(position, _TOO_DEEP)
        if self._open and self._open[-1].wants_key:
            raise Malformed(position, "a key must be a word; put text that starts with { or [ in quotes")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._open.append(_Open(Node(position, {} if isinstance(event, yaml.MappingStartEvent) else []), event.anchor))

    def _end(self) -> None:
        closed = self._open.pop()
        node = closed.node
        node.size += sum(child.size for child in node.children)
        node.depth += max((child.depth for child in node.children), default=0)
        if closed.anchor is not None:
            self._anchors[closed.anchor] = node
        self._place(node)

    def _alias(self, event: yaml.AliasEvent) -> None:
        position, name = _position(event), event.anchor
        if name not in self._anchors:
            raise Malformed(position, f"*{name} names no anchor; put text that starts with * in quotes")
        node = self._anchors[name]
        if node is None:
            raise Malformed(position, f"*{name} refers to the very thing that it is part of")
        if len(self._open) + node.depth > MAX_DEPTH:
            raise Malformed(position, _TOO_DEEP)
        self._check(position, None, node.size)
        if self._open and self._open[-1].wants_key:
            raise Malformed(position, "an alias cannot be a key; put text that starts with * in quotes")
        self._place(Node(position, node.value, node.keys, node.size, node.depth))

    def _check(self, position: Position, tag: str | None, nodes: int = 1) -> None:
        self._nodes += nodes
        if self._nodes > self._most:
            raise Malformed(position, f"more than {self._most:,} values, aliases counted; is this a config?")
        if tag is not None:
            raise Malformed(
                position, "a tag (a word that starts with !) is not allowed in a config; write the plain value"
            )

    def _key(self, position: Position, key: str) -> None:
        top = self._open[-1]
        top.key = key
        top.first = key not in top.node.keys
        if top.first:
            top.node.keys[key] = position
        else:
            path = [len(up.node.children) if up.key is None else up.key for up in self._open]
            self.problems.append(
                Problem(position, key_path(path), f"is there twice (first in line {top.node.keys[key].line})")
            )

    def _place(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        top = self._open[-1]
        if isinstance(top.node.value, list):
            top.node.value.append(node)
        elif isinstance(top.node.value, dict) and top.key is not None:
            if top.first:
                top.node.value[top.key] = node
            top.key = None


_ESCAPE = "in \"double quotes\" a \\ starts an escape; use 'single quotes' or write \\\\"
_TAG = "a tag (a word that starts with !) is not allowed in a config; write the plain value"

# A pattern of PyYAML's message, and the message in its place; {} is the pattern's group.
_WHERE_IT_IS = (
    (r"found character '\\t'", "a tab cannot indent YAML; use spaces"),
    (r"found character '([%@`])'", "a value cannot start with {}; put it in quotes"),
    ("mapping values are not allowed", 'a ":" too many, or a line indented too far; text with ": " goes in quotes'),
    ("found unknown escape character", _ESCAPE),
    ("expected (?:escape sequence|.*hexadecimal)", _ESCAPE),
    ("expected alphabetic or numeric character", "a * or & has a meaning of its own in YAML; put the value in quotes"),
    ("expected <block end>", "this line does not fit the ones above it; check its indentation"),
    ("found undefined tag handle|while scanning a tag", _TAG),
    ("incompatible YAML document|directive", "a line that starts with % is a YAML directive; remove it"),
    ("expected chomping or indentation", "after | or > comes a line break, then the text; or put the value in quotes"),
)
_WHERE_IT_BEGINS = (
    ("unexpected end of stream", "this quote is never closed"),
    ("could not find expected ':'", 'this is no "key: value"; the ":" or the space after it is missing'),
    (r"expected ',' or '([\]}])'", "the list or mapping that starts here is not closed; a , or {} is missing"),
)


def _in_words(error: yaml.MarkedYAMLError, text: str) -> tuple[int, int, str]:
    """Line and column (from 1) and the message for an error in `text`."""
    raw = f"{error.context or ''}; {error.problem or ''}".strip("; ")
    position, words = error.problem_mark or error.context_mark, _translated(raw, _WHERE_IT_IS)
    if words is None:
        words = _translated(raw, _WHERE_IT_BEGINS)
        if words is None:
            words = f"this is no YAML ({printable(raw)})"
        elif error.context_mark is not None:
            position = error.context_mark
    if position is None:
        return text.count("\n") + 1, 1, words
    return position.line + 1, position.column + 1, words


def _translated(raw: str, table: tuple[tuple[str, str], ...]) -> str | None:
    for pattern, words in table:
        match = re.search(pattern, raw)
        if match:
            return words.replace("{}", match[1]) if match.re.groups else words
    return None
