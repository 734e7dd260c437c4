"""Runs whose source is a list of URLs, against a server that does what servers do."""

from __future__ import annotations

import gzip
import shutil
import threading
from collections.abc import Iterator

import pytest

from pipeline.errors import SourceTrouble
from pipeline.manifest.export import listed, rows, write_csv
from pipeline.manifest.store import Manifest
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
    with serving() as site:
        yield site


def listing(world: World, *urls: str, name: str = "urls.txt", limits: str = "", **keys: str) -> None:
    """Write a list of URLs and a config for it; `keys` of the source beside its path."""
    (world.root / name).write_text("".join(f"{url}\n" for url in urls))
    keys = {"fetch": "{allow_private: true, rate: unlimited}", **keys}
    source = ", ".join(f"{key}: {value}" for key, value in {"path": name, **keys}.items())
    world.configure(f"source: {{{source}}}\ntarget: out\nrenditions: {{thumb: {{width: 32}}}}\n{limits}")


def errors(summary: Summary) -> list[str]:
    return [failure.error for failure in summary.failures]


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


def test_hosts_take_turns(world: World, site: Site) -> None:
    """By its names this server would be asked for one host's pictures and then for the other's."""
    hosts = ("127.0.0.1", "localhost")
    site.pages = {f"/{host}/{number:02}.jpg": jpeg() for host in hosts for number in range(12)}
    urls = [f"http://{path.split('/')[1]}:{site.port}{path}" for path in site.pages]
    listing(world, *urls, limits="workers: {threads: 1}\n")
    assert world.run().done == 24
    assert [path.split("/")[1] for path in site.paths] == [
        *[hosts[0]] * 8,
        *[hosts[1]] * 8,
        *[hosts[0]] * 4,
        *[hosts[1]] * 4,
    ]


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


def test_a_picture_that_has_not_changed_is_asked_about_and_not_sent_again(world: World, site: Site) -> None:
    content, tag = jpeg(), '"1"'

    def page(asked: Request) -> None:
        if asked.headers["If-None-Match"] == tag:
            asked.reply(b"", status=304, length=0)
        else:
            asked.reply(content, ETag=tag)

    site.pages = {"/one.jpg": page}
    listing(world, f"{site.root}/one.jpg", refresh="always")
    assert world.run().pictures == {Status.DONE: 1}
    assert world.run().pictures == {Status.TOUCHED: 1}
    assert world.run().pictures == {Status.TOUCHED: 1}
    before = world.tree()
    content, tag = jpeg((1, 2, 3)), '"2"'
    assert world.run().pictures == {Status.DONE: 1}
    assert world.tree() != before
    asked = [headers["If-None-Match"] for path, headers in site.asked if path == "/one.jpg"]
    assert asked == [None, '"1"', '"1"', '"1"']
    listing(world, f"{site.root}/one.jpg")  # refresh: never
    assert world.run().pictures == {Status.UNCHANGED: 1}


def test_a_picture_that_is_gone_from_its_server_keeps_what_was_made_of_it(world: World, site: Site) -> None:
    site.pages = {"/one.jpg": jpeg()}
    listing(world, f"{site.root}/one.jpg", refresh="always")
    world.run()
    before = world.tree()
    site.pages.clear()
    assert world.run().pictures == {Status.FAILED: 1}
    assert world.run().pictures == {Status.KNOWN_FAILURE: 1}
    assert world.tree() == before
    site.pages = {"/one.jpg": jpeg()}
    assert world.run().failed == 0


def test_a_changed_recipe_fetches_all_of_the_picture_again(world: World, site: Site) -> None:
    site.pages = {"/one.jpg": lambda asked: asked.reply(jpeg(), ETag='"1"')}
    listing(world, f"{site.root}/one.jpg")
    world.run()
    world.configure(world.text.replace("width: 32", "width: 16"))
    assert world.run().pictures == {Status.DONE: 1}
    assert [headers["If-None-Match"] for path, headers in site.asked if path == "/one.jpg"] == [None, None]


def test_what_a_site_does_not_want_used_is_skipped_and_remembered(world: World, site: Site) -> None:
    site.pages = {
        "/one.jpg": lambda asked: asked.reply(jpeg(), X_Robots_Tag="noai"),
        "/robots.txt": b"User-agent: *\nDisallow: /two",
        "/two.jpg": jpeg(),
    }
    listing(world, f"{site.root}/one.jpg", f"{site.root}/two.jpg")
    summary = world.run()
    assert summary.pictures == {Status.SKIPPED: 2}
    assert [passed.reason for passed in summary.passed_over] == [
        "its site says noai (X-Robots-Tag)",
        "the site's robots.txt forbids it",
    ]
    site.asked.clear()
    assert world.run().failed == 0
    assert site.asked == []
    listing(world, f"{site.root}/one.jpg", f"{site.root}/two.jpg", fetch="{allow_private: true, robots: false}")
    assert world.run().pictures == {Status.DONE: 2}


def test_the_columns_of_a_list_name_pictures_and_go_into_exports(world: World, site: Site) -> None:
    site.pages = {"/1": jpeg(), "/2": jpeg((1, 2, 3))}
    table = f"link,id,caption,stars\n{site.root}/1,cats/../a,=1+1,5\n{site.root}/2,,none,\n"
    listing(world, name="list.csv", url="link", refresh="never", columns="[caption, stars]")
    world.configure(world.text.replace("url: link", "url: link, name: id"))
    (world.root / "list.csv").write_text(table)
    summary = world.run()
    assert errors(summary) == ["bad name: line 3 of the list leaves no name"]
    assert sorted(world.tree()) == ["cats/a-thumb.jpg"]
    first = world.export()[0]
    assert (first["source"], first["url"]) == ("cats/a", f"{site.root}/1")
    assert (first["list_caption"], first["list_stars"]) == ("=1+1", "5")
    out = world.root / "rows.csv"
    with Manifest.reader_at(world.config.manifest) as reader:
        write_csv(rows(reader), out, listed=listed(reader))
    assert ",'=1+1,5" in out.read_text().splitlines()[1]
    (world.root / "list.csv").write_text(table.replace("=1+1", "a cat"))
    assert world.run(strict=False).pictures == {Status.TOUCHED: 1, Status.KNOWN_FAILURE: 1}
    assert world.export()[0]["list_caption"] == "a cat"


def test_no_secret_of_a_url_is_written_anywhere(world: World, site: Site) -> None:
    site.pages = {
        "/good.jpg": lambda asked: asked.reply(jpeg(), ETag='"1"'),
        "/moved.jpg": lambda asked: asked.reply(b"", status=302, Location="/good.jpg?X-Signature=hush-there"),
        "/busy.jpg": lambda asked: asked.reply(b"", status=503),
        "/none.jpg": b"<html>",
        "/torn.jpg": Request.reset,
    }
    host = f"user:hush-pass@127.0.0.1:{site.port}"
    names = ("good", "moved", "busy", "none", "torn", "gone")
    urls = [f"http://{host}/{name}.jpg?X-Signature=hush-query" for name in names]
    urls += [f"gopher://{host}/?hush-query", f"http://{host}/good.jpg?hush-other", "http://user:hush-pass@[::bad/"]
    listing(world, *urls)
    done = world.command("run", "-v", "--json", str(world.config_path))
    told = done.stdout + done.stderr
    plan = world.command("plan", str(world.config_path))
    told += plan.stdout + plan.stderr
    assert done.returncode == 1, told
    assert "hush" not in told
    for path in world.root.rglob("*"):
        if path.is_file() and path.name != "urls.txt":
            assert b"hush" not in path.read_bytes(), path


@pytest.mark.slow
def test_lane_processes_fetch_with_a_share_of_the_requests_each(world: World, site: Site) -> None:
    site.pages = {f"/{number}.jpg": jpeg((number, 2, 3)) for number in range(12)}
    site.pages["/busy.jpg"] = lambda asked: asked.reply(b"", status=503)
    listing(world, *(site.root + path for path in site.pages))
    summary = world.run(processes=2, threads=4, lanes=2)
    assert summary.pictures == {Status.DONE: 12, Status.FAILED: 1}
    assert errors(summary) == [f"not fetched: 127.0.0.1:{site.port}: 503 Service Unavailable, 4 times"]
    by_lanes = world.tree()
    shutil.rmtree(world.target)
    world.run()
    assert world.tree() == by_lanes


def test_the_plan_asks_no_server(world: World, site: Site) -> None:
    listing(world, f"{site.root}/one.jpg")
    with planned(world.config, PlanOptions()) as planner:
        assert len(list(planner.decisions())) == 1
    assert site.asked == []
