"""What the pages have in common: where they may be written, their template, and a policy that lets nothing in.

A page is made of `assets/`: a template that escapes every value, styles and scripts. Its own policy allows that style,
that script and pictures, and nothing else.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import amounts, atomic
from pipeline.errors import TargetTrouble, UsageError, printable

_FOLDER = Path(__file__).parent / "assets"
_HEAD = 400  # first bytes of a page, which hold the mark


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of page."""

    command: str  # `pipeline COMMAND` writes it; such a page, and nothing else, is written over by the next one
    word: str  # what messages call it
    pictures: str  # where its pictures may come from, in the words of a content security policy
    styles: Sequence[str]
    scripts: Sequence[str]

    @property
    def mark(self) -> str:
        """The line that marks a page as written by this program."""
        return f'<meta name="generator" content="pipeline {self.command}">'


def place(kind: Kind, path: Path, targets: Sequence[Path]) -> Path:
    """The absolute `path` of a page. Raises `UsageError` where it would overwrite a file that is no such page, or be in
    one of `targets`.
    """
    path = Path(os.path.abspath(path))
    shown = printable(str(path))
    for target in map(os.path.realpath, targets):
        if os.path.commonpath([os.path.realpath(path), target]) == target:
            raise UsageError(
                f"{shown}: a {kind.word} must not be in the target, which holds what is made of pictures only"
            )
    other = f"name another place for the {kind.word} (--output)"
    try:
        mode = os.lstat(path).st_mode
        if not stat.S_ISREG(mode):
            raise UsageError(f"{shown}: is there and is no file; {other}")
        with open(path, "rb") as file:
            ours = kind.mark.encode() in file.read(_HEAD)
    except FileNotFoundError:
        return path
    except OSError as error:
        raise UsageError(f"{shown}: cannot look what is there: {error.strerror}") from error
    if not ours:
        raise UsageError(f"{shown}: is there and is no {kind.word}; {other}")
    return path


def text(kind: Kind, template: str, **values: Any) -> str:
    """The page: `template` with `values`."""
    import jinja2  # noqa: PLC0415 - for a page alone, 30 ms

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"size": amounts.size, "duration": amounts.duration, "moment": _moment}
    environment.globals["count"] = amounts.count
    style = "".join((_FOLDER / name).read_text(encoding="utf-8") for name in kind.styles)
    script = "".join((_FOLDER / name).read_text(encoding="utf-8") for name in kind.scripts)
    return environment.get_template(template).render(
        mark=environment.filters["safe"](kind.mark),
        policy=f"default-src 'none'; img-src {kind.pictures}; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'",
        style=style,
        script=script,
        **values,
    )


def write(kind: Kind, path: Path, page: str) -> int:
    """Write a page to `path`, atomically; gives its size in bytes. Raises `TargetTrouble`."""
    try:
        atomic.write_text(path, page)
    except OSError as error:
        raise TargetTrouble(f"{printable(str(path))}: cannot write the {kind.word}: {error.strerror}") from error
    return len(page.encode(errors="backslashreplace"))


def script_safe(values: Any) -> str:
    """JSON for a script element, in which no text can end the element, begin a comment or break a line."""
    plain = json.dumps(values, ensure_ascii=True, separators=(",", ":"))
    return plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _moment(seconds: float, form: str = "%-d %b %Y, %H:%M") -> str:
    return datetime.datetime.fromtimestamp(seconds).astimezone().strftime(form)


def _hash(content: str) -> str:
    """The hash of `content`, as a content security policy writes it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
