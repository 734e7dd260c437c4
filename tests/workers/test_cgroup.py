from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.workers import process
from pipeline.workers.cgroup import oom_kills
from pipeline.workers.child_pool import ChildPool
from pipeline.workers.exchange import Bounds, ChildDied, whole
from pipeline.workers.token import Token


def test_kills_for_want_of_memory_are_counted_in_every_group_and_the_kernel(tmp_path: Path) -> None:
    own, kernel = tmp_path / "own", tmp_path / "vmstat"
    assert oom_kills(tmp_path, own, kernel) == 0
    own.write_text("0::/a.slice/b.service\n5:memory,cpu:/c\n")
    for folder, name, text in (
        ("a.slice/b.service", "memory.events", "low 0\nmax 7\noom 3\noom_kill 1\noom_group_kill 9\n"),
        ("a.slice", "memory.events", "oom_kill 2\n"),
        ("memory/c", "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"),
    ):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / name).write_text(text)
    kernel.write_text("nr_free_pages 12345\noom_kill 8\npswpin 0\n")
    assert oom_kills(tmp_path, own, kernel) == 15


@pytest.mark.parametrize(("kills", "said"), [(3, "killed by SIGKILL"), (4, "killed by SIGKILL, perhaps out of memory")])
def test_a_killed_child_may_have_been_out_of_memory_where_the_kernel_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: int, said: str
) -> None:
    counts = iter((3, kills))
    monkeypatch.setattr(process, "oom_kills", lambda: next(counts))
    (tmp_path / "x").write_bytes(b"x")
    descriptor = os.open(tmp_path / "x", os.O_RDONLY)
    bounds = Bounds(seconds=60, memory=2**30)
    with (
        ChildPool("tests.workers.functions:echo", None, 1, kept=2**24) as pool,
        pytest.raises(ChildDied) as death,
        pool.ask(whole(descriptor), "kill", bounds, Token()) as exchange,
    ):
        exchange.first()
    os.close(descriptor)
    assert str(death.value) == said
