"""Runs whose source is a list of URLs, against a server that does what servers do."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator

import pytest

from pipeline.errors import SourceTrouble
from pipeline.model.record import Status
from pipeline.plan.options import PlanOptions
from pipeline.run.preview import planned
from pipeline.run.tally import Summary
from pipeline.sources.urls import fetch
from tests.site import Request, Site, serving
from tests.world import World, jpeg


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(fetch, "_BACK_OFF", 0.0)
    with serving() as one:
        yield one


def listing(world: World, *urls: str, name: str = "urls.txt", limits: str = "", **keys: str) -> None:
    """Write a list of URLs and a config for it; `keys` of the source beside its path."""
    (world.root / name).write_text("".join(f"{url}\n" for url in urls))
    keys = {"fetch": "{allow_private: true, rate: unlimited}", **keys}
    source = ", ".join(f"{key}: {value}" for key, value in {"path": name, **keys}.items())
    world.configure(f"source: {{{source}}}\ntarget: out\nrenditions: {{thumb: {{width: 32}}}}\n{limits}")


def errors(summary: Summary) -> list[str]:
    return [one.error for one in summary.failures]


def test_the_pictures_of_a_list_are_made_and_named_by_their_urls(world: World, site: Site) -> None:
    site.pages = {"/a/one.jpg": jpeg(), "/a/two.png": jpeg((1, 2, 3))}
    listing(
        world, "# pictures", "", f"{site.root}/a/one.jpg?size=1", f"{site.root}/a/two.png", f"{site.root}/a/two.png"
    )
    assert world.run().pictures == {Status.DONE: 2}
    host = f"127.0.0.1_{site.port}"
    assert sorted(world.tree()) == [f"{host}/a/one-thumb.jpg", f"{host}/a/two-thumb.jpg"]
    assert sorted(site.paths) == ["/a/one.jpg?size=1", "/a/two.png"]


def test_a_second_run_asks_for_nothing(world: World, site: Site) -> None:
    site.pages = {"/one.jpg": jpeg()}
    listing(world, f"{site.root}/one.jpg")
    world.run()
    site.asked.clear()
    assert world.run().pictures == {Status.UNCHANGED: 1}
    assert site.asked == []


def test_a_server_that_refuses_a_url_fails_that_picture_only(world: World, site: Site) -> None:
    site.pages = {"/good.jpg": jpeg(), "/forbidden.jpg": lambda asked: asked.reply(b"", status=403)}
    listing(world, *(f"{site.root}/{name}.jpg" for name in ("good", "gone", "forbidden")))
    summary = world.run()
    assert summary.pictures == {Status.DONE: 1, Status.FAILED: 2}
    host = f"127.0.0.1:{site.port}"
    assert errors(summary) == [f"not fetched: {host}: 403 Forbidden", f"not fetched: {host}: 404 Not Found"]
    assert len(site.paths) == 3  # none of them twice


def test_lines_that_are_no_urls_fail_alone(world: World, site: Site) -> None:
    site.pages = {"/good.jpg": jpeg()}
    listing(world, f"{site.root}/good.jpg", "ftp://example.org/x.jpg", "http://", "nonsense")
    summary = world.run()
    assert summary.pictures == {Status.DONE: 1, Status.FAILED: 3}
    assert errors(summary)[0] == "bad name: line 2 of the list does not begin with http:// or https://"


def test_different_urls_with_one_name_collide(world: World, site: Site) -> None:
    site.pages = {"/one.jpg": jpeg()}
    listing(world, f"{site.root}/one.jpg?a", f"{site.root}/one.jpg?b")
    summary = world.run()
    assert errors(summary) == ["collision: lines 1 and 2 of the list have this name for different URLs"]
    listing(world, f"{site.root}/one.jpg?a", f"{site.root}/one.jpg?b", naming="hash")
    assert world.run().pictures == {Status.DONE: 2}


def test_a_list_that_is_missing_or_cut_off_ends_the_run_before_anything_is_lost(world: World, site: Site) -> None:
    site.pages = {"/one.jpg": jpeg()}
    listing(world, f"{site.root}/one.jpg", name="urls.txt.gz")
    packed = gzip.compress(f"{site.root}/one.jpg\n".encode() * 100)
    (world.root / "urls.txt.gz").write_bytes(packed)
    world.run()
    before = world.tree()
    (world.root / "urls.txt.gz").write_bytes(packed[:-9])
    with pytest.raises(SourceTrouble, match="is cut off, or not gzipped"):
        world.run(prune=True)
    (world.root / "urls.txt.gz").unlink()
    with pytest.raises(SourceTrouble, match="does not exist"):
        world.run(prune=True)
    assert world.tree() == before


def test_waiting_for_a_server_overlaps(world: World, site: Site) -> None:
    together = threading.Barrier(4, timeout=60)

    def page(asked: Request) -> None:
        together.wait()  # passes only when four requests are there at once
        asked.reply(jpeg())

    site.pages = {f"/{number}.jpg": page for number in range(4)}
    listing(world, *(site.root + path for path in site.pages))
    assert world.run(threads=4).pictures == {Status.DONE: 4}


def test_the_plan_asks_no_server(world: World, site: Site) -> None:
    listing(world, f"{site.root}/one.jpg")
    with planned(world.config, PlanOptions()) as planner:
        assert len(list(planner.decisions())) == 1
    assert site.asked == []
