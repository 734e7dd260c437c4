"""Pictures of URLs that are carried together end as if each had been alone, and each is asked for once."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from pipeline.model.record import Status
from pipeline.run import gathering, rendering
from pipeline.run.batch import SECONDS, Costs
from pipeline.run.gathering import Gathering
from pipeline.run.life import Read
from pipeline.sources.urls import fetch
from pipeline.workers import cpus
from pipeline.workers.token import Token
from tests.site import Request, Site, serving
from tests.world import World, jpeg

Together = Callable[[int], list[list[str]]]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(fetch, "_BACK_OFF", 0.0)
    with serving() as site:
        yield site


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> Together:
    """Says that the first group is taken when so many pictures are there; gives the sources of each group."""
    groups: list[list[str]] = []
    arrived = threading.Semaphore(0)
    add, group = Gathering.add, Gathering.group

    def counted(self: Gathering, read: Read, token: Token) -> bool:
        carries = add(self, read, token)
        arrived.release()
        return carries

    def expected(count: int) -> list[list[str]]:
        def waited(self: Gathering) -> list[Read]:
            for _ in range(0 if groups else count):
                assert arrived.acquire(timeout=60)
            groups.append([])
            came = group(self)
            groups[-1] += [read.job.source for read in came]
            return came

        monkeypatch.setattr(Gathering, "group", waited)
        return groups

    monkeypatch.setattr(gathering, "_SPARE", 0)
    monkeypatch.setattr(gathering, "_AHEAD", 64)
    monkeypatch.setattr(cpus, "available", lambda: 1)
    monkeypatch.setattr(Costs, "of", lambda *_: 0.0)
    monkeypatch.setattr(Gathering, "add", counted)
    return expected


def _listing(world: World, site: Site, more: str = "") -> None:
    (world.root / "urls.txt").write_text("".join(f"{site.root}{path}\n" for path in [*site.pages, "/gone.jpg"]))
    fetching = "{allow_private: true, rate: unlimited}"
    world.configure(
        f"source: {{path: urls.txt, fetch: {fetching}}}\ntarget: out\nrenditions: {{thumb: {{width: 32}}}}\n{more}"
    )


def _pages() -> dict[str, bytes | Callable[[Request], None]]:
    good = {f"/{number}.jpg": jpeg((10 * number, 9, 9)) for number in range(12)}
    twins = {f"/twin{number}.jpg": jpeg((1, 2, 3)) for number in range(3)}
    bad = {"/cut.jpg": jpeg()[:200], "/cut too.jpg": jpeg((4, 5, 6))[:200], "/text.jpg": b"no picture"}
    return {path.replace(" ", "%20"): body for path, body in {**good, **twins, **bad}.items()}


@pytest.mark.parametrize("processes", [0, 1])
def test_files_and_manifest_are_those_of_urls_that_were_alone(
    tmp_path: Path, site: Site, together: Together, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    site.pages = _pages()
    seen = []
    groups = together(len(site.pages) - 1)  # all but the one that is no picture
    for name in ("together", "alone"):
        (tmp_path / name).mkdir()
        world = World(tmp_path / name)
        _listing(world, site, "placeholder: true\n")
        site.asked.clear()
        summary = world.run(threads=4, processes=processes)
        assert Counter(site.paths) == Counter([*site.pages, "/gone.jpg"])  # each once
        assert (max(map(len, groups)) > 10) == (name == "together")
        told = summary.pictures, summary.renditions, summary.reused, [failure.error for failure in summary.failures]
        seen.append((world.tree(), world.export(), told))
        groups[:] = [[""]]  # none is waited for any more
        monkeypatch.setattr(Costs, "of", lambda *_: None)
    assert seen[0] == seen[1]
    assert seen[0][2][0] == {Status.DONE: 15, Status.FAILED: 4}


def test_a_url_that_kills_its_child_costs_the_others_no_second_request(
    world: World, site: Site, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.pages = {f"/{number}.jpg": jpeg((10 * number, 9, 9)) for number in range(8)}
    _listing(world, site)
    monkeypatch.setenv("VICTIM", hashlib.sha256(jpeg((40, 9, 9))).hexdigest())
    monkeypatch.setenv("MARK", str(world.root / "mark"))
    monkeypatch.setenv("MISCHIEF", "kill always")
    monkeypatch.setattr(rendering, "_RENDER", "tests.run.renderers:misbehaving")
    groups = together(8)
    summary = world.run(threads=4, processes=1)
    assert max(map(len, groups)) == 8
    assert summary.pictures == {Status.DONE: 7, Status.FAILED: 2}
    asked = Counter(site.paths)
    assert asked.pop("/4.jpg") == 2  # the last chance is one of its own
    assert set(asked.values()) == {1}


def test_what_no_thread_will_carry_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "_SPARE", 0)
    closed: list[str] = []
    gathered = Gathering(children=1, threads=4, renditions=1)
    for name in ("first", "second"):
        kept = ExitStack()
        kept.callback(closed.append, name)
        assert gathered.add(cast(Read, SimpleNamespace(kept=kept)), Token()) == (name == "first")
    gathered.close()
    assert closed == ["first", "second"]


def test_costly_pictures_and_those_of_an_unknown_kind_are_carried_alone(
    world: World, site: Site, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.pages = {f"/{number}.jpg": jpeg((10 * number, 9, 9)) for number in range(6)}
    _listing(world, site)
    costs = iter([SECONDS / 2, SECONDS / 2, None, 0.0, SECONDS, 0.0])
    by_source: dict[str, float | None] = {}

    def of(self: Costs, source: str, size: int) -> float | None:
        if source not in by_source:
            by_source[source] = next(costs)
        return by_source[source]

    monkeypatch.setattr(Costs, "of", of)
    groups = together(6)
    world.run(threads=1 + 6, processes=0)
    assert [len(group) for group in groups] == [2, 1, 3, 0]
