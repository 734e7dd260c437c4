"""Sidecars: the file `photo.jpg.yaml` beside `photo.jpg` says how this one picture is treated.

A sidecar is part of its picture's fingerprint, so adding, changing or removing it changes the picture. A mistake in it
fails its picture and no other; the error names the place in the file.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Iterator
from typing import Any

from pipeline.config.node import Node, did_you_mean, got
from pipeline.config.yaml12 import Malformed, parse
from pipeline.errors import ErrorKind, PictureError
from pipeline.model.source import Overrides

SUFFIX = ".yaml"
LIMIT = 64 * 1024  # bytes; a usual one has a hundred
_LONGEST_ALT = 2000  # characters
_EDGES = ("left", "top", "width", "height")


def is_sidecar_name(name: str) -> bool:
    """Whether a file of this name is a sidecar, provided that its picture is there."""
    return name.endswith(SUFFIX) and len(name) > len(SUFFIX) and not name.removesuffix(SUFFIX).endswith(SUFFIX)


def taken_out(
    files: list[str],
    includes: Callable[[str], bool],
    excludes: Callable[[str], bool],
    skipped: Collection[str] = frozenset(),
) -> frozenset[str]:
    """Remove sidecars from the `files` of a folder, also those of pictures that are not wanted; returns the names that
    have one. `excludes` says which names are left out, `includes` which of the others are wanted, `skipped` are those
    that are no files.

    A file that is named like a sidecar and has no picture beside it is a file like any other.
    """
    beside = {name for name in files if name.endswith(SUFFIX) and is_sidecar_name(name) and name not in skipped}
    if not beside:
        return frozenset()
    excluded = {name for name in beside if excludes(name)}
    pictures = {name for name in files if name + SUFFIX in beside - excluded}
    gone = excluded | {name + SUFFIX for name in pictures}
    gone |= {name for name in beside - gone if not includes(name) or not includes(name.removesuffix(SUFFIX))}
    files[:] = [name for name in files if name not in gone]
    return frozenset(pictures)


def content(picture: bytes, sidecar: bytes) -> bytes:
    """The SHA-256 that stands for a picture (by its SHA-256) together with the text of its sidecar."""
    return hashlib.sha256(picture + hashlib.sha256(sidecar).digest()).digest()


def overrides(text: bytes, name: str) -> Overrides:
    """Parse the text of a sidecar; `name` is its file name, for errors. Any thread.

    Raises `PictureError` (bad sidecar), whose detail has every mistake as `photo.jpg.yaml:3:5: key: what`.
    """
    try:
        root, problems = parse(text.decode("utf-8-sig"), cheap=True)
    except UnicodeDecodeError as error:
        raise _bad(name, text.count(b"\n", 0, error.start) + 1, 1, "is not UTF-8") from None
    except Malformed as error:
        raise _bad(name, *error.position, error.text) from None
    if root is None:
        return Overrides()
    if not isinstance(root.value, dict):
        raise _bad(name, *root.position, f"must be a mapping with the keys {', '.join(_READERS)} ({got(root)})")
    values: dict[str, Any] = {}
    wrong = [(position, f"{key}: {said}") for position, key, said in problems]
    for key, node in root.value.items():
        if key not in _READERS:
            hint = did_you_mean(key, _READERS) or f"; known here: {', '.join(_READERS)}"
            wrong.append((root.keys[key], f"{key}: is no key that is known{hint}"))
            continue
        try:
            values[key] = _READERS[key](node)
        except ValueError as error:
            wrong.append((node.position, f"{key}: {error} ({got(node)})"))
    if wrong:
        details = [f"{name}:{position.line}:{position.column}: {said}" for position, said in sorted(wrong)]
        raise PictureError(ErrorKind.BAD_SIDECAR, "; ".join(details))
    return Overrides(**values)


def _bad(name: str, line: int, column: int, text: str) -> PictureError:
    return PictureError(ErrorKind.BAD_SIDECAR, f"{name}:{line}:{column}: {text}")


def _focal_point(node: Node) -> tuple[float, float]:
    children = node.value if isinstance(node.value, list) else []
    numbers = tuple(_fractions(children))
    if len(children) != 2 or len(numbers) != 2:
        raise ValueError("must be two numbers from 0 to 1, [from the left, from the top]")
    return numbers[0], numbers[1]


def _crop(node: Node) -> tuple[float, float, float, float]:
    said = "must be {left, top, width, height} as fractions of the upright picture, from 0 to 1 and within it"
    children = node.value if isinstance(node.value, dict) else {}
    if set(children) != set(_EDGES):
        raise ValueError(said)
    numbers = tuple(_fractions([children[edge] for edge in _EDGES]))
    if len(numbers) != len(_EDGES):
        raise ValueError(said)
    left, top, width, height = numbers
    if not (width > 0 and height > 0 and left + width <= 1 + 1e-9 and top + height <= 1 + 1e-9):  # 0.7 + 0.1 + 0.2
        raise ValueError(said)
    return left, top, width, height


def _fractions(nodes: list[Node]) -> Iterator[float]:
    for node in nodes:
        value = node.value
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= 1:
            yield float(value)


def _skip(node: Node) -> bool:
    if not isinstance(node.value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004 - the value is wrong, as with the other keys
    return node.value


def _alt(node: Node) -> str:
    text = " ".join(node.value.split()) if isinstance(node.value, str) else None
    if text is None or len(text) > _LONGEST_ALT:
        raise ValueError(f"must be text of at most {_LONGEST_ALT:,} characters")
    return text


_READERS: dict[str, Callable[[Node], object]] = {
    "focal_point": _focal_point,
    "crop": _crop,
    "skip": _skip,
    "alt": _alt,
}
