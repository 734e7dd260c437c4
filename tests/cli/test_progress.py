from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.cli.progress import Pace, ProgressBar, listen, position
from pipeline.errors import ExitStatus
from pipeline.run.options import Progress, RunOptions
from pipeline.run.run import run
from tests.world import World

HERE = Progress(pictures_done=1200, failed=3, bytes_done=5_000_000, bytes_expected=10_000_000)


@pytest.fixture(autouse=True)
def listening() -> Iterator[None]:
    before = signal.getsignal(signal.SIGUSR1)
    listen()
    yield
    ProgressBar("rest", wanted=False).watch(HERE)  # takes a question that was left
    signal.signal(signal.SIGUSR1, before)


def test_a_question_is_answered_once_with_one_line_even_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("thumbs", wanted=False) as bar:
        bar.watch(HERE)
        assert capsys.readouterr().err == ""
        os.kill(os.getpid(), signal.SIGUSR1)
        bar.watch(HERE)
        bar.watch(HERE)
    assert capsys.readouterr().err == "thumbs: 1,200 pictures dealt with, 3 failed; 5.0 MB of about 10.0 MB (50%)\n"


def test_the_bar_says_how_many_of_how_many_how_fast_and_how_long() -> None:
    here = Progress(1300, 3, 5_000_000, 10_000_000, jobs_done=1200, jobs_expected=2400)
    assert position(here, 100.0, 100.0) == "1,200/2,400 pictures, 12.0/s, 1 min 40 s left, 3 failed"
    assert position(here, 24000.0, None) == "1,200/2,400 pictures, 20 s a picture, 3 failed"
    assert position(Progress(0, 0, 0, 0), 0.0, None) == "0/0 pictures"


def test_the_time_left_is_that_of_the_last_minute_and_not_of_a_stretch_of_copies_before() -> None:
    pace = Pace()
    assert pace.left(0.0, 0, 1000) is None
    for second in range(1, 11):  # copies
        left = pace.left(float(second), 50 * second, 1000)
    assert left == 10.0
    for second in range(11, 91):
        left = pace.left(float(second), 500 + second - 10, 1000)
    assert left == 1000 - 580


def test_urls_whose_sizes_are_not_known_before_are_counted() -> None:
    of_urls = Progress(5, 0, bytes_done=50_000, bytes_expected=0, jobs_done=5, jobs_expected=20)
    assert of_urls.work == (5, 20)
    assert HERE.work == (5_000_000, 10_000_000)


def test_the_bar_says_where_its_share_is_one_of_bytes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipeline.cli.progress.on_terminal", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    with ProgressBar("thumbs", wanted=True) as bar:
        bar.watch(HERE)
        assert " 50% of the bytes " in capsys.readouterr().err
        bar.watch(Progress(5, 0, bytes_done=50_000, bytes_expected=0, jobs_done=5, jobs_expected=20))
        shown = capsys.readouterr().err
    assert " 25% " in shown
    assert "of the bytes" not in shown


def test_a_signal_is_answered_at_once_with_what_is_in_flight(world: World) -> None:
    world.fill(4)
    answers: list[int] = []

    def interrupt(progress: Progress) -> None:
        if not answers:
            os.kill(os.getpid(), signal.SIGINT)

    summary = run(world.config, RunOptions(threads=1, processes=1), interrupt, asked=answers.append)
    assert summary.status == ExitStatus.INTERRUPTED
    assert len(answers) == 1
    assert 0 <= answers[0] <= 4


def test_a_question_before_the_first_byte_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    os.kill(os.getpid(), signal.SIGUSR1)
    ProgressBar("thumbs", wanted=False).watch(Progress(0, 0, 0, 0))
    assert capsys.readouterr().err == "thumbs: 0 pictures dealt with, 0 failed; 0 B of about 0 B\n"


def test_a_question_to_everybody_harms_neither_the_run_nor_its_children(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.fill(4)
    with ProgressBar("thumbs", wanted=False) as bar:

        def ask_all(progress: Progress) -> None:
            for task in os.listdir("/proc/self/task"):
                with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
                    for child in Path(f"/proc/self/task/{task}/children").read_text().split():
                        os.kill(int(child), signal.SIGUSR1)
            os.kill(os.getpid(), signal.SIGUSR1)
            bar.watch(progress)

        summary = run(world.config, RunOptions(threads=1, processes=1), ask_all)
    assert (summary.pictures, summary.status) == ({"done": 4}, 0)
    assert "thumbs: " in capsys.readouterr().err
