"""What `pipeline tune` says and writes. What it measures is not asserted: only that it is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import click
import pytest

from pipeline.cli import tune
from pipeline.config.load import load
from pipeline.config.settings import WorkerSettings
from pipeline.run.tune.cache import Warmth
from pipeline.run.tune.race import Outcome
from pipeline.run.tune.setting import Bound, Setting, Verdict
from pipeline.run.tune.tuning import Tuning
from tests.world import World

AUTO = Setting(2, 4, 64, scales=True)


def verdict(setting: Setting, rate: float, ratio: float, bound: Bound = Bound.CPU) -> Verdict:
    return Verdict(setting, rate, rate * 0.9, rate * 1.1, 4, ratio, bound, {"read": 0.5}, 0.2, 0.9)


def tuning(chosen: Setting, best: Setting, *verdicts: Verdict, clear: bool = True) -> Tuning:
    outcome = Outcome(chosen, best, verdicts, clear, 4)
    return Tuning(outcome, AUTO, AUTO, 528, 90, Warmth.COLD, 2, 2**31, 31.0)


FINE = tuning(AUTO, AUTO, verdict(AUTO, 100, 1.0), verdict(Setting(2, 2), 80, 0.8))
MORE = tuning(
    Setting(2, 32),
    Setting(2, 64),
    verdict(Setting(2, 64), 64, 8.0),
    verdict(Setting(2, 32), 63, 7.9, Bound.READ),
    verdict(AUTO, 8, 1.0, Bound.READ),
    clear=False,
)


def test_auto_is_called_fine_where_it_is() -> None:
    said = tune.sentences(FINE)
    assert said[0] == "auto is fine: 100.0 pictures a second; the CPUs have no more to give."
    assert FINE.settings(WorkerSettings(threads=3, processes=1, memory=5)) == WorkerSettings(memory=5)


def test_the_choice_is_explained_and_doubt_is_told() -> None:
    said = tune.sentences(MORE)
    assert said[0] == (
        "32 threads, 2 processes: 63.0 pictures a second, 7.90 times as fast as auto, as fast as 64 threads, "
        "2 processes within 3 %; most of the time goes into reading."
    )
    assert "not certain" in said[1]
    assert "90 of 528 pictures" in said[2]
    assert MORE.settings(WorkerSettings()) == WorkerSettings(threads=32, processes=2)


@pytest.mark.parametrize(("processes", "lanes"), [(7, ""), (8, "8 children among 2 lane processes")])
def test_lane_processes_that_a_run_would_have_are_told(processes: int, lanes: str) -> None:
    (verdict,) = (judged for judged in FINE.outcome.verdicts if judged.setting == FINE.outcome.chosen)
    setting = replace(verdict.setting, processes=processes)
    outcome = replace(FINE.outcome, verdicts=(replace(verdict, setting=setting),), chosen=setting, best=setting)
    said = tune.sentences(replace(FINE, outcome=outcome, auto=setting))
    assert ("lane processes" in said[-1]) == bool(lanes)
    assert lanes in said[-1]


def test_the_table_marks_the_choice_and_draws_the_rates() -> None:
    lines = tune.table(MORE)
    assert [line.split()[0] for line in lines] == ["threads", "auto", "32", "64"]
    assert [("*" in line) for line in lines] == [False, False, True, False]
    assert len(lines[3].split()[-1]) > len(lines[1].split()[-1])
    assert all(len(line) <= 100 for line in lines)


CERTAIN = replace(MORE, outcome=replace(MORE.outcome, clear=True))


@pytest.fixture
def measured(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("pipeline.run.tune.tuning.tune", lambda *_: MORE)
    return world


def run(world: World, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, str]:
    tune.command.main([str(world.config_path), *arguments], standalone_mode=False)
    return capsys.readouterr()


def test_nothing_is_written_unless_it_was_asked_for(measured: World, capsys: pytest.CaptureFixture[str]) -> None:
    before = measured.config_path.read_bytes()
    _, err = run(measured, capsys)
    assert measured.config_path.read_bytes() == before
    assert "threads: 32, processes: 2, queue: 64" in err


def test_what_is_not_certain_is_written_by_force_only(measured: World, capsys: pytest.CaptureFixture[str]) -> None:
    before = measured.config_path.read_bytes()
    _, err = run(measured, capsys, "--write")
    assert "left as it is, because threads: 32, processes: 2, queue: 64 is not certain" in err
    assert measured.config_path.read_bytes() == before
    assert json.loads(run(measured, capsys, "--write", "--json")[0])["written"] is False
    _, err = run(measured, capsys, "--write", "--force")
    assert "now says threads: 32" in err
    with pytest.raises(click.UsageError, match="--force is for --write"):
        run(measured, capsys, "--force")


def test_the_choice_goes_into_the_config(
    measured: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipeline.run.tune.tuning.tune", lambda *_: CERTAIN)
    measured.configure(f"# mine\n{measured.text}workers: {{threads: auto}} # how many\n")
    _, err = run(measured, capsys, "--write")
    assert measured.config_path.read_text().endswith("workers: {threads: 32, processes: 2} # how many\n")
    assert load(measured.config_path).workers == WorkerSettings(threads=32, processes=2)
    assert "now says" in err
    _, err = run(measured, capsys, "--write")
    assert "says already" in err


def test_json_has_every_figure(measured: World, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = run(measured, capsys, "--json", "--write", "--force")
    answer = json.loads(out)
    assert answer["workers"] == {"threads": 32, "processes": 2, "queue": 64}
    assert answer["written"] is True
    assert answer["settings"][0]["rate"] == 64
    assert answer["clear"] is False


def test_without_a_terminal_each_tenth_of_the_time_and_each_new_best_has_a_line(
    measured: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(_config: object, _options: object, watch: Callable[[Setting, float], None]) -> Tuning:
        for best, share in ((AUTO, 0.01), (AUTO, 0.02), (Setting(2, 2), 0.03), (Setting(2, 2), 0.11)):
            watch(best, share)
        return FINE

    monkeypatch.setattr("pipeline.run.tune.tuning.tune", measure)
    _, err = run(measured, capsys)
    assert err.splitlines() == [
        "thumbs: 0 %, best so far: auto (4+) threads, 2 processes",
        "thumbs: 0 %, best so far: 2 threads, 2 processes",
        "thumbs: 10 %, best so far: 2 threads, 2 processes",
    ]


def test_a_whole_tuning_from_the_command_line(world: World) -> None:
    world.fill(6)
    done = world.command("tune", str(world.config_path), "--seconds", "2", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["settings"]
    assert all(line.startswith("thumbs: ") and " %, best so far: " in line for line in done.stderr.splitlines())
