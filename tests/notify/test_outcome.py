from __future__ import annotations

import json
from dataclasses import replace

from pipeline.errors import ExitStatus
from pipeline.notify.outcome import as_json, as_text
from tests.notify.conftest import BAD, GOOD


def test_only_a_done_run_and_one_out_of_its_time_succeeded() -> None:
    fine = [status for status in ExitStatus if replace(GOOD, status=status).succeeded]
    assert fine == [ExitStatus.OK, ExitStatus.TIME_UP]


def test_the_text_is_the_sentence_and_the_failures_within_its_bytes() -> None:
    assert as_text(BAD, 10_000) == f"{BAD.sentence}\n{BAD.failures[0]}"
    many = replace(BAD, failures=tuple(f"é{number}.jpg: truncated" for number in range(25)))
    assert as_text(many, 10_000).splitlines()[-1] == "... and 5 more"
    for most in range(40, 80):
        assert len(as_text(many, most).encode()) <= most


def test_the_json_holds_everything_and_is_ascii() -> None:
    text = as_json(replace(BAD, failures=("é.jpg: truncated",) * 30))
    sent = json.loads(text)
    assert text.isascii()
    assert (sent["status"], sent["succeeded"], sent["seconds"], sent["errors"]) == (
        1,
        False,
        12.5,
        {"truncated": 1},
    )
    assert len(sent["failures"]) == 20


def test_a_clock_that_was_set_back_makes_no_negative_time() -> None:
    assert replace(GOOD, ended=GOOD.started - 5).seconds == 0
