"""Hosts of a list of URLs take turns; folders come one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from pipeline.config.settings import SourceSettings, UrlSettings
from pipeline.model.job import Job
from pipeline.model.source import Stat
from pipeline.plan.turns import by_host, in_turns

FOLDER = SourceSettings(Path("photos"), prefix="photos")
LIST = SourceSettings(Path("urls.txt"), prefix="web", urls=UrlSettings())


def job(name: str) -> Job:
    return Job(name, Stat(1, 1, 1), ())


def test_folders_are_one_group_and_hosts_one_each() -> None:
    folders = ["photos", "photos/a", "web/a.org", "web/a.org/x", "web/b.org/y"]
    assert by_host(folders, str, [FOLDER, LIST]) == [folders[:2], folders[2:4], folders[4:]]
    alone = [SourceSettings(Path("urls.txt"), urls=UrlSettings())]
    assert by_host(["a.org", "a.org/x", "b.org/y"], str, alone) == [["a.org", "a.org/x"], ["b.org/y"]]
    assert by_host(["", "a", "b/c"], str, [SourceSettings(Path("photos"))]) == [["", "a", "b/c"]]


def test_each_group_has_a_few_jobs_at_a_time_and_keeps_its_order() -> None:
    groups = [[job(f"{host}{number:02}") for number in range(20)] for host in "ab"]
    came = [decision.source for decision in in_turns(iter(group) for group in groups)]
    assert [name[0] for name in came] == list("a" * 8 + "b" * 8 + "a" * 8 + "b" * 8 + "a" * 4 + "b" * 4)
    assert [name for name in came if name[0] == "a"] == [f"a{number:02}" for number in range(20)]


def test_few_groups_are_begun_at_a_time() -> None:
    begun: list[int] = []

    def group(number: int) -> Iterator[Job]:
        begun.append(number)
        yield from (job(f"{number}-{at}") for at in range(9))

    came = list(islice(in_turns(map(group, range(100))), 32 * 8))
    assert begun == list(range(32))
    assert len({one.source for one in came}) == len(came)
