"""The values of this program as JSON and back, checked field by field: how a child that is not trusted answers.

A pickle can make its reader run code, or take gigabytes with a few bytes; this can make values and nothing else, of the
types that their classes declare, with texts on one line and without control characters. Plain values are themselves, a
tuple is a list, and anything else is an object with one key, the name of its class.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
import math
import types
import typing
from collections.abc import Callable, Iterable

from pipeline import errors, model
from pipeline.errors import ErrorKind, PictureError, printable
from pipeline.workers import exchange

_MODULES = (model, errors, exchange)
_PLAIN = frozenset((str, int, float, bool, types.NoneType))
_MOST = 2**63  # numbers beyond it fit no column of the manifest


class NotAValue(Exception):
    """What came is no value of this program."""


def dumped(value: object) -> bytes:
    """`value` as JSON. Raises TypeError for what is not a value."""
    return json.dumps(_plain(value), separators=(",", ":"), allow_nan=False).encode("ascii")


def loaded(text: bytes) -> object:
    """The value that `dumped` gave. Raises `NotAValue`, whatever was sent."""
    try:
        return _made(json.loads(text))
    except (ValueError, TypeError, KeyError, RecursionError, MemoryError, OverflowError) as error:
        raise NotAValue(f"{type(error).__name__}: {error}") from None


def _plain(value: object) -> object:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, enum.Enum):
        return {type(value).__name__: value.value}
    if isinstance(value, PictureError):
        return {"PictureError": [value.kind.value, value.detail]}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, tuple) and type(value).__name__ not in _classes():
        return [_plain(one) for one in value]
    class_: type = type(value)
    if _classes().get(class_.__name__) is class_:
        return {class_.__name__: [_plain(getattr(value, name)) for name in _fields(class_)]}
    raise TypeError(f"{type(value).__name__} is not a value of this program")


def _made(plain: object) -> object:
    if type(plain) in _PLAIN:
        return _bounded(plain)
    if isinstance(plain, list):
        return tuple([_made(one) for one in plain])
    if not isinstance(plain, dict):
        raise NotAValue(type(plain).__name__)
    ((name, content),) = plain.items()
    if name == "bytes":
        return bytes.fromhex(content)
    if name == "PictureError":
        kind, detail = content
        if not isinstance(detail, str):
            raise NotAValue(f"{type(detail).__name__} as the detail of an error")
        return PictureError(ErrorKind(kind), detail)
    class_ = _classes()[name]
    if issubclass(class_, enum.Enum):
        return class_(content)
    return _filled(class_, [_made(one) for one in content])


def _filled(class_: type, values: list[object]) -> object:
    fields = _fields(class_)
    if len(values) != len(fields):
        raise NotAValue(f"{class_.__name__} has {len(fields)} fields, not {len(values)}")
    for (name, (types_, fits)), value in zip(fields.items(), values, strict=True):
        if type(value) not in types_ and not fits(value):
            raise NotAValue(f"{type(value).__name__} as {class_.__name__}.{name}")
    return class_(*values)


def _bounded(value: object) -> object:
    if isinstance(value, str):
        return value if value.isprintable() else printable(value)
    if (isinstance(value, int) and not -_MOST < value < _MOST) or (
        isinstance(value, float) and not math.isfinite(value)
    ):
        raise NotAValue("a number beyond all bounds")
    return value


def _check(hint: typing.Any) -> Callable[[object], bool]:
    """What tells whether a value is of the type that `hint` declares."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        checks = [_check(one) for one in inner]
        return lambda value: any(check(value) for check in checks)
    if origin is tuple and inner[1:] == (...,):
        each = _check(inner[0])
        return lambda value: isinstance(value, tuple) and all(map(each, value))
    if origin is tuple:
        several = [_check(one) for one in inner]
        return lambda value: (
            isinstance(value, tuple)
            and len(value) == len(several)
            and all(check(one) for check, one in zip(several, value, strict=True))
        )
    if hint in (int, float):
        allowed = (int,) if hint is int else (int, float)
        return lambda value: isinstance(value, allowed) and not isinstance(value, bool)
    return lambda value: isinstance(value, hint)  # raises TypeError for a hint that no child's answer needs


@functools.cache
def _classes() -> dict[str, type]:
    """The value classes by name: frozen dataclasses, named tuples and enumerations of the modules that hold values."""
    found: dict[str, type] = {}
    for module in _MODULES:
        for name, one in vars(module).items():
            if isinstance(one, type) and one.__module__ == module.__name__ and _is_value(one):
                found[name] = one
    return found


def _is_value(class_: type) -> bool:
    return dataclasses.is_dataclass(class_) or issubclass(class_, enum.Enum) or hasattr(class_, "_fields")


def _types(hint: typing.Any) -> frozenset[type]:
    """Of those whose values are of the type that `hint` declares, the ones that need no closer look."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return frozenset().union(*map(_types, typing.get_args(hint)))
    if hint is float:
        return frozenset((int, float))
    return frozenset((hint,)) if isinstance(hint, type) and typing.get_origin(hint) is None else frozenset()


@functools.cache
def _fields(class_: type) -> dict[str, tuple[frozenset[type], Callable[[object], bool]]]:
    """The fields of a value class in order, and what each may hold."""
    hints = typing.get_type_hints(class_)
    names: Iterable[str] = (
        [field.name for field in dataclasses.fields(class_)] if dataclasses.is_dataclass(class_) else hints
    )
    return {name: (_types(hints[name]), _check(hints[name])) for name in names}
