"""How a run ended, as plain values: the source of every notice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from pipeline.errors import ExitStatus

SUCCESSES = frozenset({ExitStatus.OK, ExitStatus.TIME_UP})  # the user set the time limit, and the next run goes on
_LISTED = 20  # failures in the text and the JSON; the manifest has them all


@dataclass(frozen=True, slots=True)
class Outcome:
    """One ended run. Times in seconds since 1970, sizes in bytes; texts are printable. Counts are zero where the run
    ended before it began to work; then `run` is empty, too.
    """

    config: str  # the absolute path: unique on this machine
    name: str
    run: str  # its id, 32 hexadecimal digits
    status: int
    started: float
    ended: float
    sentence: str
    failures: tuple[str, ...] = ()  # a line each
    pictures: Mapping[str, int] = field(default_factory=dict)  # by status
    renditions: Mapping[str, int] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)  # newly failed pictures, by kind
    remarks: Mapping[str, int] = field(default_factory=dict)  # pictures made with warnings, by kind
    orphans: int = 0
    source_bytes: int = 0
    target_bytes: int = 0
    last_success: float | None = None  # when the last successful run ended; None: never, or not known

    @property
    def succeeded(self) -> bool:
        """Whether the run finished everything, or what fitted into its time."""
        return self.status in SUCCESSES

    @property
    def seconds(self) -> float:
        """How long it took, never below zero: a clock can be set back meanwhile."""
        return max(0.0, self.ended - self.started)


def as_json(outcome: Outcome) -> str:
    """One JSON object, its keys those of `Outcome`; the list of failures is cut."""
    fields = asdict(outcome)
    fields["failures"] = list(outcome.failures[:_LISTED])
    fields |= {"succeeded": outcome.succeeded, "seconds": round(outcome.seconds, 3)}
    return json.dumps(fields, ensure_ascii=True, sort_keys=True)


def as_text(outcome: Outcome, most: int) -> str:
    """The sentence and a line for each failure, in at most `most` bytes of UTF-8."""
    lines = [outcome.sentence, *outcome.failures[:_LISTED]]
    if (more := len(outcome.failures) - _LISTED) > 0:
        lines.append(f"... and {more:,} more")
    return "\n".join(lines).encode(errors="backslashreplace")[:most].decode(errors="ignore")
