"""Which shard a task of an array job is."""

from __future__ import annotations

import click
import pytest

from pipeline.cli.options import ShardOf


@pytest.fixture(autouse=True)
def no_array(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLURM_ARRAY_TASK_ID", "AWS_BATCH_JOB_ARRAY_INDEX", "JOB_COMPLETION_INDEX"):
        monkeypatch.delenv(name, raising=False)


SLURM = {"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_COUNT": "16"}
SLURM_IN_STEPS = {**SLURM, "SLURM_ARRAY_TASK_MIN": "3", "SLURM_ARRAY_TASK_STEP": "2"}
SOME_OF_SLURM = {**SLURM, "SLURM_ARRAY_TASK_MIN": "3", "SLURM_ARRAY_TASK_MAX": "7", "SLURM_ARRAY_TASK_COUNT": "2"}
AWS = {"AWS_BATCH_JOB_ARRAY_INDEX": "0", "AWS_BATCH_JOB_ARRAY_SIZE": "4"}


@pytest.mark.parametrize(
    ("text", "environment", "shard"),
    [
        ("3/16", {}, "3/16"),
        ("auto", SLURM, "7/16"),
        ("auto", SLURM_IN_STEPS, "3/16"),
        ("auto", AWS, "1/4"),
        ("auto/16", {**SLURM, "SLURM_ARRAY_TASK_MAX": "16"}, "7/16"),
        ("auto", {**SLURM_IN_STEPS, "SLURM_ARRAY_TASK_MAX": "33"}, "3/16"),
        ("auto/8", {"JOB_COMPLETION_INDEX": "7"}, "8/8"),
        ("auto", {"JOB_COMPLETION_INDEX": "2", "JOB_COMPLETIONS": "8"}, "3/8"),
    ],
)
def test_a_shard_is_said_or_that_of_an_array_job(
    monkeypatch: pytest.MonkeyPatch, text: str, environment: dict[str, str], shard: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert str(ShardOf().convert(text, None, None)) == shard


@pytest.mark.parametrize(
    ("text", "environment", "why"),
    [
        ("3", {}, "no shard such as 3/16"),
        ("0/4", {}, "from 1/N to N/N"),
        ("5/4", {}, "from 1/N to N/N"),
        ("-1/4", {}, "no shard such as"),
        ("auto", {}, "none of SLURM_ARRAY_TASK_ID"),
        ("auto", {"JOB_COMPLETION_INDEX": "2"}, "as in auto/16"),
        (
            "auto",
            SOME_OF_SLURM,
            r"2 tasks, which are not an array without gaps: name the shard",
        ),
        ("auto/16", SOME_OF_SLURM, r"2 tasks, which are not the 16 that .* --shard \$SLURM_ARRAY_TASK_ID/16"),
        ("auto/16", AWS, r"4 tasks, which are not the 16"),
        ("auto/2", {"JOB_COMPLETION_INDEX": "2"}, "3/2 is no shard"),
        ("auto/2", {"JOB_COMPLETION_INDEX": "x"}, "no number of a task"),
    ],
)
def test_any_other_shard_is_refused(
    monkeypatch: pytest.MonkeyPatch, text: str, environment: dict[str, str], why: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(click.BadParameter, match=why):
        ShardOf().convert(text, None, None)
