"""A config file -> `Config`, or one error that lists everything that is wrong with it.

`peek` reads only what a run needs to know before the check, which takes a tenth of a second: children start meanwhile.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.node import Problem, closest, got, quoted
from pipeline.config.settings import Config, manifest_in
from pipeline.config.yaml12 import Malformed, parse
from pipeline.errors import ConfigError, printable
from pipeline.program import to_copy

MAX_BYTES = 256 * 1024  # of a config; the longest sensible one has a hundredth of that
MAX_SHOWN = 50  # problems
_BOMS = {b"\xef\xbb\xbf": "UTF-8", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


def load(path: Path) -> Config:
    """The checked config in the YAML file `path`.

    Paths in it are relative to the folder of `path`, wherever the program was started. `~` is refused, because it is
    another folder for each user. Neither source nor target need exist.

    Raises `ConfigError` with every problem in the order of the file, one a line:
    `file:line:column: key.path: what is allowed (got ...)`.
    """
    return checked(read_text(path), path)


def checked(text: str, path: Path) -> Config:
    """The config that `text` describes when it is the content of the file `path`. Raises as `load` does."""
    shown = printable(str(path))
    try:
        root, problems = parse(text)
    except Malformed as error:
        raise ConfigError(f"{shown}:{error.position.line}:{error.position.column}: {error.text}") from None
    if root is None:
        raise ConfigError(f"{shown}: is empty; `{to_copy('init')}` writes a config to start from")
    if not isinstance(root.value, dict):
        at = f"{root.position.line}:{root.position.column}"
        raise ConfigError(f"{shown}:{at}: must be a mapping with the keys source, target and renditions ({got(root)})")
    from pipeline.config.check import check  # noqa: PLC0415 - pydantic: a tenth of a second, paid here only

    config, more = check(root, path)
    if config is None or problems:
        raise ConfigError(_listed(shown, problems + more))
    return config


def _listed(shown: str, problems: list[Problem]) -> str:
    lines = [f"{shown}:{at.line}:{at.column}: {key}: {text}" for at, key, text in sorted(set(problems))]
    if len(lines) > MAX_SHOWN:
        lines[MAX_SHOWN:] = [f"{shown}: and {len(lines) - MAX_SHOWN} more"]
    return "\n".join(lines)


def read_text(path: Path) -> str:
    """The text of the file, with its line breaks unchanged. Raises `ConfigError` where it cannot be read."""
    shown = printable(str(path))
    try:
        # Without O_NONBLOCK a FIFO would wait for its writer for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                init = to_copy("init", "--source", shown)
                of_folder = f"is a folder; name a YAML file. For pictures in it `{init}` writes one"
                kind = of_folder if stat.S_ISDIR(mode) else "is not a regular file"
                raise ConfigError(f"{shown}: {kind}")
            raw = _all(descriptor)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        hint = _neighbour(path) or f"; `{to_copy('init')}` writes a config to start from"
        raise ConfigError(f"{shown}: there is no such file{hint}") from None
    except OSError as error:
        raise ConfigError(f"{shown}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise ConfigError(f"{shown}: cannot be read: there is a NUL in its name") from None
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"{shown}: is larger than {MAX_BYTES // 1024} KiB; is this a config?")
    for mark, encoding in _BOMS.items():
        if raw.startswith(mark):
            raise ConfigError(f"{shown}: starts with a byte order mark of {encoding}; save it as UTF-8 without one")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = len(raw[raw.rfind(b"\n", 0, error.start) + 1 : error.start].decode("utf-8")) + 1
        raise ConfigError(f"{shown}:{line}:{column}: is not UTF-8 from here on; save the file as UTF-8") from None


def _all(descriptor: int) -> bytes:
    """All bytes, up to one more than `MAX_BYTES`."""
    raw = b""
    while len(raw) <= MAX_BYTES and (more := os.read(descriptor, MAX_BYTES + 1 - len(raw))):
        raw += more
    return raw


def _neighbour(path: Path) -> str:
    """A hint at a YAML file with a similar name in the same folder."""
    try:
        names = sorted(name for name in os.listdir(path.parent) if name.endswith((".yaml", ".yml")))
    except OSError:
        return ""
    by_stem = {name.rpartition(".")[0].lower(): name for name in names}
    close = closest(path.stem.lower(), by_stem)
    return f"; did you mean {quoted(by_stem[close])}?" if close else ""


@dataclass(frozen=True, slots=True)
class Peek:
    """What a run needs to know of a config before it is checked. `processes` is None for `auto`."""

    is_new: bool = False  # whether there is no manifest yet
    processes: int | None = None
    sources: tuple[Path, ...] = ()
    gentle: bool = False  # whether others go first: what is started before the check would not know it
    elsewhere: bool = False  # whether the workers of an executor render


def peek(file: Path) -> Peek:
    """A first look at the config in `file`. Raises nothing: a wrong config is reported by `load`.

    No result may depend on it: a wrong answer costs time, or a child that is started and not needed.
    """
    try:
        root, _problems = parse(read_text(file))
    except (ConfigError, Malformed):
        return Peek()
    plain = root.plain() if root is not None else None
    if not isinstance(plain, Mapping):
        return Peek()
    target, processes = _of(plain, "target", "path"), _of(plain, "workers", "processes")
    manifest = plain.get("manifest")
    if not isinstance(manifest, str):
        manifest = manifest_in(target) if isinstance(target, str) else None
    workers = plain.get("workers")
    gentle = workers == "gentle" or (isinstance(workers, Mapping) and bool({"nice", "ionice"} & workers.keys()))
    is_new = manifest is not None and not os.path.lexists(os.path.join(os.path.dirname(file), manifest))
    several = plain.get("sources")
    paths = (
        _of({"": source}, "", "path") for source in (several if isinstance(several, list) else [plain.get("source")])
    )
    return Peek(
        is_new,
        processes if isinstance(processes, int) else None,
        tuple(file.parent / path for path in paths if isinstance(path, str)),
        gentle,
        "executor" in plain,
    )


def _of(plain: Mapping[str, object], section: str, key: str) -> object:
    """The value under `key` of a section, or the section itself where it is not a mapping."""
    value = plain.get(section)
    return value.get(key) if isinstance(value, Mapping) else value
