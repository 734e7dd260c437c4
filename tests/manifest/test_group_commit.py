"""The buffered group commit: nothing lost, nothing torn, in order, after the disk."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from pipeline.errors import ManifestTrouble, TargetTrouble
from pipeline.manifest import group_commit, opening
from pipeline.manifest.claims import Claim
from pipeline.manifest.group_commit import BACKLOG, GROUP, GroupCommit
from pipeline.manifest.store import Manifest
from tests.manifest.builders import OWNER, opened, record, rendition, start


@pytest.fixture
def _switching_everywhere() -> Iterator[None]:
    """New threads give way between any two opcodes of the group commit, not only where CPython happens to look."""
    turns, calls = itertools.count(), itertools.count()

    def at_opcode(frame: types.FrameType, event: str, _arg: object) -> object:
        if event == "opcode" and next(turns) % 23 == 0:
            time.sleep(0)
        return at_opcode

    def at_call(frame: types.FrameType, _event: str, _arg: object) -> object:
        if frame.f_code.co_filename != group_commit.__file__ or next(calls) % 4:  # tracing every call takes too long
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return at_opcode

    before = threading.gettrace()
    threading.settrace(at_call)  # type: ignore[arg-type]
    yield
    threading.settrace(before)


def _in_threads(count: int, work: Callable[[int], object]) -> None:
    barrier, errors = threading.Barrier(count), []

    def body(number: int) -> None:
        try:
            barrier.wait(30)
            work(number)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            errors.append(error)

    threads = [threading.Thread(target=body, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert errors == []


@pytest.mark.usefixtures("_switching_everywhere")
def test_eight_threads_lose_and_tear_no_record(tmp_path: Path) -> None:
    """Each thread's records stand in the manifest once, whole, and with the content of their last version."""
    threads, each = 8, 2_000
    manifest = opened(tmp_path)

    def work(number: int) -> None:
        for index in range(each):
            source = f"t{number}/{index // 2:05d}.jpg"  # every source twice: the later record wins
            made = rendition(source, made=b"x" * (index + 1), recipe=f"{number}.{index}")
            manifest.add(record(source, made, content=b"c" * (index + 1), mtime=index))

    _in_threads(threads, work)
    manifest.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "manifest.sqlite")) as connection:
        rows = connection.execute(
            "SELECT s.path, s.size, s.mtime_ns, r.size, r.recipe FROM source s JOIN rendition r ON r.source = s.id"
        ).fetchall()
        claims = connection.execute("SELECT COUNT(*) FROM claim").fetchone()[0]
    wanted = {
        (f"t{number}/{index // 2:05d}.jpg".encode(), index + 1, index, index + 1, f"{number}.{index}")
        for number in range(threads)
        for index in range(1, each, 2)
    }
    assert len(rows) == len(wanted) == claims
    assert set(rows) == wanted


@pytest.mark.usefixtures("_switching_everywhere")
def test_the_buffer_hands_every_record_to_exactly_one_commit() -> None:
    """The same without SQLite behind it, so that the threads meet far more often."""
    taken: list[int] = []
    inside = 0

    def write(group: Sequence[int]) -> None:
        nonlocal inside
        inside += 1
        assert inside == 1, "two commits at once"
        taken.extend(group)
        inside -= 1

    commits = GroupCommit[int](write)

    def work(number: int) -> None:
        for index in range(2000):
            commits.add([number * 2000 + index])

    _in_threads(8, work)
    commits.flush()
    assert sorted(taken) == list(range(16_000))
    for number in range(8):
        own = [value for value in taken if value // 2000 == number]
        assert own == sorted(own), "the order of one thread's records was not kept"


def test_claims_records_and_questions_of_many_threads_share_one_connection(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:

        def work(number: int) -> None:
            for index in range(150):
                source = f"t{number}/{index:03d}.jpg"
                made = rendition(source)
                manifest.claim([Claim(made.target, source, made.name)])
                assert manifest.claimed([made.target, "foreign.jpg"]) == {made.target}
                manifest.add(record(source, made))
                if index % 10 == 0:
                    manifest.flush()
                    assert len(manifest.known_sources(f"t{number}")) == index + 1

        _in_threads(8, work)
        manifest.flush()
        assert sum(len(manifest.known_sources(folder)) for folder in manifest.folders()) == 8 * 150
        assert sum(claim.current for claim in manifest.claimed_files()) == 8 * 150


def test_a_group_is_committed_when_it_is_full_and_not_before() -> None:
    groups: list[int] = []
    commits = GroupCommit[int](lambda group: groups.append(len(group)))
    for number in range(GROUP * 2 + 1):
        commits.add([number])
    assert groups == [GROUP, GROUP]
    commits.flush()
    assert groups == [GROUP, GROUP, 1]


def test_an_incomplete_group_is_committed_by_tick_when_its_time_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("pipeline.manifest.group_commit.time.monotonic", lambda: now)
    groups: list[int] = []
    commits = GroupCommit[int](lambda group: groups.append(len(group)))
    commits.add([1])
    now += group_commit.SECONDS - 0.01
    commits.add([2])
    commits.tick()
    assert groups == []
    now += 0.01
    commits.tick()
    commits.tick()
    assert groups == [2]


def test_workers_go_on_while_another_waits_for_the_disk_but_not_without_end() -> None:
    in_commit, go_on, groups = threading.Event(), threading.Event(), []

    def write(group: Sequence[int]) -> None:
        in_commit.set()
        assert go_on.wait(30)
        groups.append(list(group))

    commits = GroupCommit[int](write)

    def fill_a_group() -> None:
        for number in range(GROUP):
            commits.add([number])

    first = threading.Thread(target=fill_a_group)
    first.start()
    assert in_commit.wait(30)
    for number in range(GROUP, GROUP * (BACKLOG + 1) - 1):
        commits.add([number])  # does not block: the test would hang here
    assert commits.flush(wait=0.01) is False
    last = threading.Thread(target=commits.add, args=([GROUP * (BACKLOG + 1) - 1],))
    last.start()
    last.join(0.05)
    assert last.is_alive(), "the backlog has no bound"
    go_on.set()
    first.join(30)
    last.join(30)
    assert [number for group in groups for number in group] == list(range(GROUP * (BACKLOG + 1)))


def test_records_that_come_at_once_share_a_commit() -> None:
    groups: list[list[int]] = []
    commits = GroupCommit[int](lambda group: groups.append(list(group)))
    commits.add(range(3 * GROUP))
    assert groups == [list(range(3 * GROUP))]


def test_a_record_added_while_a_group_is_written_waits_for_the_next() -> None:
    groups: list[list[str]] = []

    def write(group: Sequence[str]) -> None:
        if not groups:
            commits.put(["late"])
        groups.append(list(group))

    commits = GroupCommit[str](write)
    commits.add(["early"])
    commits.flush()
    assert groups == [["early"]]
    commits.flush()
    assert groups == [["early"], ["late"]]


@pytest.mark.parametrize("error", [TargetTrouble("/target: no space left"), OSError(5, "Input/output error")])
def test_nothing_more_is_taken_after_a_commit_that_failed(error: Exception) -> None:
    def write(group: Sequence[int]) -> None:
        raise error

    commits = GroupCommit[int](write)
    commits.add([1])
    with pytest.raises(type(error)):
        commits.flush()
    for call in (lambda: commits.add([2]), commits.flush, lambda: commits.put([3])):
        with pytest.raises(ManifestTrouble, match="takes no more records after: .*(no space|Input/output)"):
            call()
    assert commits.broken


def test_a_full_disk_ends_in_one_clear_line_and_keeps_the_groups_before(tmp_path: Path) -> None:
    connection, _ = opening.open_for_run(tmp_path / "manifest.sqlite", OWNER, adopt=False)
    manifest = Manifest(tmp_path / "manifest.sqlite", connection)
    manifest.add(record("before.jpg"))
    manifest.flush()
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(ManifestTrouble, match="no space left on its disk") as caught:
        for number in range(5000):
            manifest.add(record(f"{number}.jpg"))
    assert "\n" not in str(caught.value)
    with pytest.raises(ManifestTrouble, match="takes no more"):
        manifest.add(record("after.jpg"))
    manifest.close()
    with Manifest.reader_at(tmp_path / "manifest.sqlite") as reader:
        known = reader.known_sources("")
    assert "before.jpg" in known
    assert (len(known) - 1) % GROUP == 0


_WRITE_FOR_EVER = """
import sys
from pathlib import Path
from tests.manifest.builders import OWNER, opened, record, start
manifest = opened(Path(sys.argv[1]))
manifest.begin_run(start())
for number in range(20_000):
    manifest.add(record(f"{number:07d}.jpg"))
    if number % 50 == 49:
        print("group", flush=True)
"""


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_kill_in_mid_write_leaves_whole_groups(tmp_path: Path, seed: int) -> None:
    command = [sys.executable, "-c", _WRITE_FOR_EVER, str(tmp_path)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, text=True) as child:
        assert child.stdout is not None
        groups = random.Random(seed).randrange(2, 60)
        for _ in range(groups):
            assert child.stdout.readline() == "group\n"
        os.kill(child.pid, signal.SIGKILL)
        committed = groups + child.stdout.read().count("group\n")
    with Manifest.open(tmp_path / "manifest.sqlite", owner=OWNER) as manifest:
        assert manifest.warning == ""
        (run,) = manifest.runs()
        assert (run.ended, run.status) == (None, None), "a run without an end died"
        known = manifest.known_sources("")
    assert committed <= len(known) / GROUP <= committed + 1
    assert len(known) % GROUP == 0
    assert list(known) == [f"{number:07d}.jpg" for number in range(len(known))]


def test_an_ended_run_says_how(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        manifest.begin_run(start())
        manifest.add(record("a.jpg"))
        manifest.end_run(1, {"done": 1, "failed": 2}, ended=1_700_000_060.0)
        (run,) = manifest.runs()
    assert (run.status, run.ended, run.counts) == (1, 1_700_000_060.0, {"done": 1, "failed": 2})
    assert (run.argv, run.settings, run.pid) == (("pipeline", "run", OWNER), {"threads": 2}, 123)
