"""What to do about a failure of each kind: a sentence, and the command that follows it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ErrorKind, printable
from pipeline.program import to_copy

_EXAMPLES = 12  # failures that are shown of each kind

_WHAT_TO_DO = {
    ErrorKind.COLLISION: "Set target.on_collision: keep_extension, or rename one of the pictures; then run again.",
    ErrorKind.NOT_OURS: "Move the file away that stands in its place, or take it over if it is what a run would write.",
    ErrorKind.BAD_NAME: "Rename the picture, or what stands in the way of its target; then run again.",
    ErrorKind.BAD_SIDECAR: "Mend the sidecar at the place that is named; then run again.",
    ErrorKind.UNREADABLE: "Let the user of the run read the file or folder; then run again.",
    ErrorKind.READ_TIMED_OUT: "See to the storage, or raise limits.read; then run again.",
    ErrorKind.CHANGED: "Run again when it is not written to any more, or set source.settle.",
    ErrorKind.TOO_MANY_BYTES: "Raise limits.file_size if the picture is trusted; then run again.",
    ErrorKind.NOT_FETCHED: "See whether its URL is still right; the next run tries it again.",
    ErrorKind.ADDRESS_REFUSED: "Take the URL off the list, or set fetch.allow_private if its network is meant.",
    ErrorKind.NOT_A_PICTURE: "Replace the file, or leave it out by source.exclude.",
    ErrorKind.UNSUPPORTED: "See which formats this installation reads; an extra may be missing.",
    ErrorKind.TRUNCATED: "Copy it again from where it came from; then run again.",
    ErrorKind.DAMAGED: "Replace it by a good copy; then run again.",
    ErrorKind.TOO_MANY_PIXELS: "Raise limits.pixels if the picture is trusted; then run again.",
    ErrorKind.TOO_MANY_FRAMES: "Raise limits.frames, or set animation: first; then run again.",
    ErrorKind.TOO_MANY_SCANS: "Raise limits.scans if the picture is trusted; then run again.",
    ErrorKind.TIME_LIMIT: "Raise limits.seconds if the picture is trusted; then run again.",
    ErrorKind.MEMORY_LIMIT: "Raise limits.memory if the machine has it; then run again.",
    ErrorKind.CRASHED: "A library died of it. Try once more; if it dies again, report it with the picture.",
    ErrorKind.NOT_ENCODABLE: "Ask for another size or format in the rendition; then run again.",
    ErrorKind.INTERNAL: "This is a defect of pipeline; please report it. Then try once more.",
}
_TRIED_AGAIN = (ErrorKind.CRASHED, ErrorKind.INTERNAL)  # a run sees no change that would make it try again


@dataclass(frozen=True, slots=True)
class Failed:
    """One failure, as it is shown. `pictures` are addresses that may show it, the best first."""

    source: str
    rendition: str
    detail: str
    known: bool
    pictures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OfKind:
    """The failures of one kind, of which `examples` are shown."""

    kind: ErrorKind
    number: int
    new: int
    advice: str
    command: str
    examples: tuple[Failed, ...]


def by_kind(failures: Iterable[tuple[ErrorKind, Failed]], config: Path) -> list[OfKind]:
    """Failures by kind, the most frequent kind first; the commands name `config`."""
    several_of: dict[ErrorKind, list[Failed]] = {}
    for kind, failed in failures:
        several_of.setdefault(kind, []).append(failed)
    return [
        OfKind(
            kind,
            len(several),
            sum(not failure.known for failure in several),
            _WHAT_TO_DO[kind],
            command(kind, config),
            tuple(several[:_EXAMPLES]),
        )
        for kind, several in sorted(several_of.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    ]


def to_type(command: str, config: Path) -> str:
    """A command about the config, for a shell in any folder of this machine."""
    return to_copy(*command.split(), printable(str(config)), anywhere=True)


def command(kind: ErrorKind, config: Path) -> str:
    """The command to type after following the advice; for a shell, on one line."""
    if kind is ErrorKind.NOT_OURS:
        return f"{to_type('run', config)} --adopt"
    if kind is ErrorKind.UNSUPPORTED:
        return to_type("doctor", config)
    if kind in _TRIED_AGAIN:
        return f"{to_type('failures retry', config)} && {to_type('run', config)}"
    return to_type("run", config)
