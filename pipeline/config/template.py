"""`{dir}/{stem}-{rendition}.{ext}`: how a target gets its name from its source.

Only named fields are known: no format specs, attributes or indexes, and values are not expanded again. For every name
of a source, the target is inside the target folder and outside of the program's own folder and files in it.

A part of a path that would be longer than file systems take (`LONGEST`) is shortened to `HEAD~HASH~TAIL`: its first 170
bytes, 16 hex digits of the SHA-256 of all of it, and its last 64 bytes, in which rendition and extension are in most
templates. So the name depends on nothing but itself, and no two long names become one.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import printable
from pipeline.model.spec import Spec

OF_THE_SOURCE = ("dir", "stem", "name", "source_ext")
OF_THE_RENDITION = ("rendition", "ext", "width", "height")
FIELDS = OF_THE_SOURCE + OF_THE_RENDITION
OURS = ".pipeline"  # the manifest's folder; temporary files start with it too

LONGEST = 255  # bytes of a part of a path: NAME_MAX nearly everywhere
_HEAD, _TAIL = 170, 64  # bytes that are kept of a longer one, or up to three less, so that no character is cut
_OF_A_CHARACTER = 4  # bytes at most

_TOKENS = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]|[^{}]+")
_WITH_EXTENSION = re.compile(r"(?:\.\{ext\}|\.\{source_ext\}|\{name\}|\.\w+)$")
_NOT_IN_A_KEY = re.compile("[%.\\x00-\\x1f\\x7f-\\x9f\udc80-\udcff]")
_MAY_BE_EMPTY = frozenset({"dir", "source_ext"})
_UNTAMED = ("/.", "//", "/\0", "\0.", "\0/", "\0\0")  # in a path between NULs, a part that `_tame` has to change


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template, made by `parse`. Several threads may use it at once."""

    text: str
    pieces: tuple[tuple[bool, str], ...]  # (is a field, its name or the literal text)
    keys: bool = False  # whether what comes from the source is a sample's key in a tar shard; see `key_of`

    @classmethod
    def parse(cls, text: str, *, keys: bool = False) -> Template:
        """The parsed template. Raises ValueError, with a text that says what is allowed, for any other text."""
        pieces = tuple(_piece(token) for token in _TOKENS.findall(text))
        literal = "".join(value if not is_field else "x" for is_field, value in pieces)
        if not literal.isprintable():
            raise ValueError(f"must not hold control characters (got {printable(text)})")
        if literal.startswith("/"):
            raise ValueError("must be relative to the target; remove the leading /")
        used = {value for is_field, value in pieces if is_field}
        if not used & {"dir", "stem", "name"}:
            raise ValueError("must hold {stem} or {name}: without them all pictures make one file")
        parts = literal.split("/")
        if "" in parts or "." in parts or ".." in parts:
            raise ValueError('must not hold empty parts, "." or ".." between its slashes, nor end in /')
        if any(part.casefold().startswith(OURS) for part in parts):
            raise ValueError(f"must not make names that start with {OURS}: those are the program's own")
        if not _last_is_never_empty(pieces):
            raise ValueError("must hold more than {dir} or {source_ext} after its last slash: they can be empty")
        return cls(text, pieces, keys)

    @property
    def fields(self) -> frozenset[str]:
        """The names of the fields in it."""
        return frozenset(value for is_field, value in self.pieces if is_field)

    @property
    def has_extension(self) -> bool:
        """Whether all targets have an extension: that of their format, that of the source or a literal one."""
        return _WITH_EXTENSION.search(self.text) is not None

    def lacks(self, spec: Spec) -> str | None:
        """The field of the template that `spec` has no value for, if there is one."""
        return next((name for name in ("width", "height") if name in self.fields and getattr(spec, name) is None), None)

    def target(self, source: str, spec: Spec, *, keep_extension: bool = False) -> str:
        """The path of `spec`'s rendition of `source`; both are relative to their roots with `/` between their parts.

        With `keep_extension` the whole file name stands for the stem: `photo.jpg` makes `photo.jpg-thumb.webp`, so that
        it and `photo.png` differ. Never absolute, never empty, without `..`; a part that would be `.`, `..` or start
        with `.pipeline` gets a `_` before it, and one that is too long is shortened. Any thread.
        """
        folder, _, name = source.rpartition("/")
        return self.targets(folder, (name,), (spec,), keep_extension=keep_extension)[0][0]

    def targets(
        self, folder: str, names: Sequence[str], specs: Sequence[Spec], *, keep_extension: bool = False
    ) -> list[tuple[str, ...]]:
        """`target` for each of the files `names` in `folder`: its paths in the order of `specs`."""
        return list(zip(*self.columns(folder, names, specs, keep_extension=keep_extension), strict=True))

    def columns(
        self, folder: str, names: Sequence[str], specs: Sequence[Spec], *, keep_extension: bool = False
    ) -> list[list[str]]:
        """As `targets`, but for each of `specs` the paths of all `names`. 0.3 microseconds a path if there are many."""
        columns = []
        values: dict[str, Sequence[str]] = {"name": names, "stem": names}
        if not keep_extension:
            values["stem"] = _stems(names)
        if self.keys:
            folder, values = key_of(folder), {name: list(map(key_of, texts)) for name, texts in values.items()}
        if "source_ext" in self.fields:
            values["source_ext"] = [_split(name)[1] for name in names]
        for spec in specs:
            texts, used = self._around(spec, folder)
            between = [values[name] for name in used]
            if len(used) == 1:
                before, after = texts
                paths = [before + value + after for value in between[0]]
            elif used:
                pattern = "%s".join(text.replace("%", "%%") for text in texts)
                paths = list(map(pattern.__mod__, zip(*between, strict=True)))
            else:
                paths = texts * len(names)
            together = "\0".join(("", *paths, ""))
            if any(bad in together for bad in _UNTAMED):
                paths = list(map(_tame, paths))
            if not self.keys and max(map(len, paths), default=0) > (
                LONGEST if together.isascii() else LONGEST // _OF_A_CHARACTER
            ):
                paths = list(map(_shortened, paths))
            columns.append(paths)
        return columns

    def _around(self, spec: Spec, folder: str) -> tuple[list[str], list[str]]:
        """The texts before, between and after the fields that differ from name to name, and these fields."""
        known = {
            "dir": folder,
            "rendition": spec.label,
            "ext": spec.format.extension,
            "width": "" if spec.width is None else str(spec.width),
            "height": "" if spec.height is None else str(spec.height),
        }
        texts, used = [""], []
        for is_field, value in self.pieces:
            if is_field and value not in known:
                texts.append("")
                used.append(value)
            else:
                texts[-1] += known[value] if is_field else value
        if not folder:  # its slash would be dropped again from every single path
            texts = [text.replace("//", "/") for text in texts]
            texts[0] = texts[0].removeprefix("/")
        return texts, used


def key_of(name: str) -> str:
    """A name as a key of samples in tar shards, whose readers cut names at the first dot: dots, per cent signs, control
    characters and bytes that are not UTF-8 as URL escapes (`a.b` is `a%2Eb`). Reversible, so that no two are equal.
    """
    return _NOT_IN_A_KEY.sub(lambda found: "".join(f"%{byte:02X}" for byte in os.fsencode(found[0])), name)


def _stems(names: Sequence[str]) -> list[str]:
    """The stem of each, as `_split` gives it. Most names take the short way."""
    return [stem if (stem := name.rpartition(".")[0]) and stem[0] != "." else _split(name)[0] for name in names]


def _split(name: str) -> tuple[str, str]:
    """Stem and extension."""
    stem, _, extension = name.rpartition(".")
    return (stem, extension) if stem.strip(".") else (name, "")  # no dot, or leading ones only: `.hidden` is a stem


def _piece(token: str) -> tuple[bool, str]:
    if token in ("{{", "}}"):
        return False, token[0]
    if token in ("{", "}"):
        raise ValueError(f"has a {token} without its partner; a brace of its own is written {token}{token}")
    if not token.startswith("{"):
        return False, token
    name = token[1:-1]
    if name not in FIELDS:
        known = " ".join(f"{{{field}}}" for field in FIELDS)
        raise ValueError(f"may hold only {known} (got {{{printable(name)}}})")
    return True, name


def _last_is_never_empty(pieces: tuple[tuple[bool, str], ...]) -> bool:
    for is_field, value in reversed(pieces):
        if is_field and value not in _MAY_BE_EMPTY:
            return True
        if not is_field:
            return not value.endswith("/")
    return False


def _tame(path: str) -> str:
    """The path without empty parts, and with a `_` before `.`, `..` and names of the program's own."""
    return "/".join(_part(part) for part in path.split("/") if part) or "_"


def _part(part: str) -> str:
    return "_" + part if part in (".", "..") or part.casefold().startswith(OURS) else part


def _shortened(path: str) -> str:
    """The path with parts of `LONGEST` bytes at most."""
    if len(os.fsencode(path)) <= LONGEST:
        return path
    return "/".join(map(_short, path.split("/")))


def _short(part: str) -> str:
    raw = os.fsencode(part)
    if len(raw) <= LONGEST:
        return part
    end, start = _HEAD, len(raw) - _TAIL
    while _continues(raw[end]) and end > _HEAD - _OF_A_CHARACTER:
        end -= 1
    while _continues(raw[start]) and start < len(raw) - _TAIL + _OF_A_CHARACTER:
        start += 1
    middle = hashlib.sha256(raw).hexdigest()[:16]
    return f"{os.fsdecode(raw[:end])}~{middle}~{os.fsdecode(raw[start:])}"


def _continues(byte: int) -> bool:
    """Whether a byte of UTF-8 is not the first of its character."""
    return byte & 0xC0 == 0x80
