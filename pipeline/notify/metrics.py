"""How a run ended, for Prometheus: the text format that node_exporter's textfile collector reads.

Every series is there after every run, with 0 where nothing was counted: a rule on a series that comes and goes
never fires.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipeline import __version__
from pipeline.errors import ErrorKind, printable
from pipeline.model.record import Status
from pipeline.notify.outcome import Outcome

_Samples = Mapping[tuple[tuple[str, str], ...], float]  # values by their labels


def exposition(outcome: Outcome) -> str:
    """All metrics of one config, as text. The label `config` is its path: two configs of one name would clash."""
    lines: list[str] = []
    for name, text, samples in _families(outcome):
        if samples:
            lines += [f"# HELP pipeline_{name} {text}", f"# TYPE pipeline_{name} gauge"]
            lines += [
                f"pipeline_{name}{_labels(outcome.config, labels)} {value!r}" for labels, value in samples.items()
            ]
    return "\n".join(lines) + "\n"


def _families(outcome: Outcome) -> Iterator[tuple[str, str, _Samples]]:
    yield "info", "The version of pipeline.", {(("version", __version__),): 1}
    yield "last_run_timestamp_seconds", "When the last run ended, in seconds since 1970.", {(): outcome.ended}
    yield (
        "last_success_timestamp_seconds",
        "When the last run ended that had status 0 or 4, in seconds since 1970.",
        {} if outcome.last_success is None else {(): outcome.last_success},
    )
    yield "last_run_duration_seconds", "How long the last run took.", {(): round(outcome.seconds, 3)}
    yield "last_run_exit_status", "The exit status of the last run.", {(): int(outcome.status)}
    yield (
        "last_run_pictures",
        "Pictures that the last run dealt with, by what came of them.",
        {(("status", status.value),): outcome.pictures.get(status, 0) for status in Status},
    )
    yield (
        "last_run_failures",
        "Pictures that newly failed in the last run, by kind of error.",
        {(("error", kind.value),): outcome.errors.get(kind, 0) for kind in ErrorKind},
    )
    yield "last_run_source_bytes", "Bytes of the pictures rendered in the last run.", {(): outcome.source_bytes}
    yield "last_run_target_bytes", "Bytes of the renditions written in the last run.", {(): outcome.target_bytes}
    yield "orphans", "Files that were made from pictures which are gone.", {(): outcome.orphans}


def _labels(config: str, more: tuple[tuple[str, str], ...]) -> str:
    pairs = (("config", config), *more)
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs) + "}"


def _escaped(value: str) -> str:
    return printable(value).replace("\\", r"\\").replace('"', r"\"")
