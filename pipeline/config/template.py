"""`{dir}/{stem}-{rendition}.{ext}`: how a target gets its name from its source.

Named fields only: no format specs, attributes or indexes, and the values of fields are never expanded again. Whatever a
source is called, its target lies inside the target folder and outside of what the program keeps there for itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pipeline.errors import printable
from pipeline.model import Spec

OF_THE_SOURCE = ("dir", "stem", "name", "source_ext")
OF_THE_RENDITION = ("rendition", "ext", "width", "height")
FIELDS = OF_THE_SOURCE + OF_THE_RENDITION
OURS = ".pipeline"  # the manifest's folder; temporary files start with it too

_TOKENS = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]|[^{}]+")
_MAY_BE_EMPTY = frozenset({"dir", "source_ext"})


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template. Make it with `parse`; safe to use from several threads at once."""

    text: str
    pieces: tuple[tuple[bool, str], ...]  # (is a field, its name or the literal text)
    _filled: dict[tuple[int, bool], tuple[Spec, str, tuple[str, ...]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @classmethod
    def parse(cls, text: str) -> Template:
        """Raises ValueError, saying what is allowed, for anything that is no template."""
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
        return cls(text, pieces)

    @property
    def fields(self) -> frozenset[str]:
        """The names of the fields that it uses."""
        return frozenset(value for is_field, value in self.pieces if is_field)

    def lacks(self, spec: Spec) -> str | None:
        """The field that this template uses and `spec` has no value for, if there is one."""
        return next((name for name in ("width", "height") if name in self.fields and getattr(spec, name) is None), None)

    def target(self, source: str, spec: Spec, *, keep_extension: bool = False) -> str:
        """The path of `spec`'s rendition of `source`; both are relative to their roots with `/` between their parts.

        With `keep_extension` the whole file name stands for the stem: `photo.jpg` makes `photo.jpg-thumb.webp`, so that
        it and `photo.png` differ. Never absolute, never empty, without `..`; a part that would be `.`, `..` or start
        with `.pipeline` gets a `_` before it. Runs once per picture and rendition, in any thread.
        """
        filled = self._filled.get((id(spec), keep_extension))
        if filled is None:
            filled = self._fill(spec, keep_extension)
        _, pattern, names = filled
        folder, _, name = source.rpartition("/")
        stem, _, extension = name.rpartition(".")
        if not stem.strip("."):  # no dot, or leading ones only: `.hidden` is a stem
            stem, extension = name, ""
        values = {"dir": folder, "stem": stem, "name": name, "source_ext": extension}
        path = pattern % tuple([values[field_name] for field_name in names])
        if not path or path[0] in "./" or "/." in path or "//" in path or path[-1] == "/":
            return _tame(path)
        return path

    def _fill(self, spec: Spec, keep_extension: bool) -> tuple[Spec, str, tuple[str, ...]]:
        """All that depends on the spec alone, worked out once. The spec is kept, so that its id stays its own."""
        known = {
            "rendition": spec.label,
            "ext": spec.format.extension,
            "width": "" if spec.width is None else str(spec.width),
            "height": "" if spec.height is None else str(spec.height),
        }
        pattern, names = "", []
        for is_field, value in self.pieces:
            if is_field and value in OF_THE_SOURCE:
                pattern += "%s"
                names.append("name" if keep_extension and value == "stem" else value)
            else:
                pattern += (known[value] if is_field else value).replace("%", "%%")
        filled = spec, pattern, tuple(names)
        self._filled[id(spec), keep_extension] = filled
        return filled


def _piece(token: str) -> tuple[bool, str]:
    if token in ("{{", "}}"):
        return False, token[0]
    if token in ("{", "}"):
        raise ValueError(f"has a {token} without its partner; a brace of its own is written {token}{token}")
    if not token.startswith("{"):
        return False, token
    name = token[1:-1]
    if name not in FIELDS:
        known = " ".join(f"{{{one}}}" for one in FIELDS)
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
    """A path with empty parts dropped and parts that would climb or meddle renamed."""
    return "/".join(_part(part) for part in path.split("/") if part) or "_"


def _part(part: str) -> str:
    return "_" + part if part in (".", "..") or part.casefold().startswith(OURS) else part
