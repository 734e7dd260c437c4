"""The command that starts this program again, also outside the shell that it was started from."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

import pipeline


def program() -> tuple[str, ...]:
    """The words that start it, the first an absolute path.

    The installed command if it was that; `scripts/pipeline` of a checkout, which also keeps the environment good; else
    this interpreter with `-m`. Links are left as they are: they may lead to another version tomorrow.
    """
    started = Path(os.path.abspath(sys.argv[0]))
    if started.name == "pipeline" and os.access(started, os.X_OK) and not started.is_dir():
        return (str(started),)
    root = Path(pipeline.__file__).resolve().parent.parent
    script = root / "scripts" / "pipeline"
    if os.access(script, os.X_OK) and Path(sys.prefix).resolve() == root / ".venv":
        return (str(script),)
    command = Path(sys.executable).with_name("pipeline")
    if os.access(command, os.X_OK):
        return (str(command),)
    return (sys.executable, "-I", "-m", "pipeline")


def to_copy(*words: str, anywhere: bool = False) -> str:
    """A command for a person to copy into the shell that the program was started from, ready for that shell; or into
    one that is `anywhere` on this machine, for pages and files.
    """
    first, *rest = program()
    installed = shutil.which("pipeline")
    if not rest and installed and os.path.realpath(installed) == os.path.realpath(first):
        first = "pipeline"
    elif not anywhere and first.startswith(here := os.path.join(os.getcwd(), "")):
        first = first.removeprefix(here)
        first = first if os.sep in first else os.path.join(".", first)
    return shlex.join([first, *rest, *words])
