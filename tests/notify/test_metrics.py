from __future__ import annotations

import re
from dataclasses import replace

from pipeline.errors import ErrorKind, ExitStatus
from pipeline.model.record import Status
from pipeline.notify.metrics import exposition
from tests.notify.conftest import BAD, GOOD

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})\{{(.*)\}} ([0-9.e+]+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


def parsed(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The text format, read as strictly as Prometheus does: HELP and TYPE once, before their samples, none twice."""
    assert text.endswith("\n")
    samples: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    announced: list[str] = []
    lines = iter(text[:-1].split("\n"))
    for line in lines:
        if line.startswith("# HELP "):
            name = line.split(" ")[2]
            assert name not in announced
            assert next(lines) == f"# TYPE {name} gauge"
            announced.append(name)
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample, line
        assert sample[1] == announced[-1]
        assert "".join(match[0] for match in LABEL.finditer(sample[2])) == sample[2]
        labels = tuple((match[1], match[2]) for match in LABEL.finditer(sample[2]))
        assert (sample[1], labels) not in samples
        samples[sample[1], labels] = float(sample[3])
    return samples


CONFIG = ("config", "/srv/photos/thumbs.yaml")


def test_a_good_run_is_the_last_success() -> None:
    samples = parsed(exposition(GOOD))
    assert samples["pipeline_last_success_timestamp_seconds", (CONFIG,)] == GOOD.ended
    assert samples["pipeline_last_run_timestamp_seconds", (CONFIG,)] == GOOD.ended
    assert samples["pipeline_last_run_duration_seconds", (CONFIG,)] == 12.5
    assert samples["pipeline_last_run_exit_status", (CONFIG,)] == 0
    assert samples["pipeline_last_run_pictures", (CONFIG, ("status", "done"))] == 3
    assert samples["pipeline_last_run_source_bytes", (CONFIG,)] == 3000
    assert samples["pipeline_last_run_target_bytes", (CONFIG,)] == 300


def test_a_failed_run_keeps_the_last_success() -> None:
    samples = parsed(exposition(BAD))
    assert samples["pipeline_last_success_timestamp_seconds", (CONFIG,)] == BAD.last_success
    assert samples["pipeline_last_run_exit_status", (CONFIG,)] == ExitStatus.FAILED
    assert samples["pipeline_last_run_failures", (CONFIG, ("error", "truncated"))] == 1
    assert samples["pipeline_orphans", (CONFIG,)] == 4


def test_without_any_success_there_is_no_time_of_it() -> None:
    assert "last_success" not in exposition(replace(BAD, last_success=None))


def test_every_status_and_error_is_there_even_when_nothing_was_counted() -> None:
    samples = parsed(exposition(GOOD))
    for status in Status:
        assert ("pipeline_last_run_pictures", (CONFIG, ("status", status.value))) in samples
    for kind in ErrorKind:
        assert samples["pipeline_last_run_failures", (CONFIG, ("error", kind.value))] == 0


def test_hostile_names_stay_inside_their_label() -> None:
    samples = parsed(exposition(replace(GOOD, config='/srv/a"} 1\n# TYPE b\\\x1b\udcff.yaml')))
    assert {labels[0][1] for _, labels in samples} == {r"/srv/a\"} 1\\n# TYPE b\\\\x1b\\xff.yaml"}
