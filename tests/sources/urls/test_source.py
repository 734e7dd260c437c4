"""One URL, fetched from a server that lies, stalls, breaks off, redirects in circles and changes."""

from __future__ import annotations

import base64
import gzip
import itertools
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from pipeline.config.settings import SourceSettings, UrlSettings
from pipeline.errors import ErrorKind, PictureError
from pipeline.folder import CHUNK
from pipeline.model.source import Stat
from pipeline.model.spec import Limits
from pipeline.sources.source import Forbidden, Grown, Later, Untouched
from pipeline.sources.urls import addresses, hosts
from pipeline.sources.urls.connection import tls
from pipeline.sources.urls.names import Origin
from pipeline.sources.urls.source import UrlSource
from pipeline.workers.token import Revoked, Token
from tests.site import CERTIFICATE, Request, Site, serving
from tests.world import jpeg

Page = Callable[[Request], None]
LIMITS = Limits()


class Reader:
    """A source of one URL, and how an I/O thread reads it; `waits` are those that it was told of."""

    def __init__(self, folder: Path, url: str, **settings: object) -> None:
        (folder / "urls.txt").write_text(url + "\n")
        keys: dict[str, object] = {"allow_private": True, "rate": None, "robots": False, **settings}
        urls = UrlSettings(**keys)  # type: ignore[arg-type]
        self.source = UrlSource(SourceSettings(folder / "urls.txt", urls=urls), urls)
        self.waits: list[float] = []
        self.rooms: list[int] = []
        ((folder_path, self.name),) = (
            (folder.path, name) for folder in self.source.folders(()) for name in folder.names()
        )
        (stat,) = self.source.stats(folder_path, [self.name])
        assert stat is not None
        self.stat = stat

    def read(self, limits: Limits = LIMITS) -> bytes:
        """The bytes, after all waits and with all the room that is asked for; `stat` is that of what was read."""
        while True:
            try:
                with self.source.turn(self.name, self.stat, Token()):
                    picture = self.source.read(self.name, self.stat, limits)
            except Later as later:
                self.waits.append(later.seconds)
            except Grown as grown:
                self.rooms.append(grown.size)
                self.stat = replace(self.stat, size=grown.size)
            else:
                with picture:
                    self.stat = picture.stat
                    return os.pread(picture.held.descriptor, picture.size + 1, 0)


@pytest.fixture
def reader(tmp_path: Path, site: Site) -> Iterator[Callable[..., Reader]]:
    made: list[Reader] = []

    def make(path: str = "/p.jpg", **settings: object) -> Reader:
        made.append(Reader(tmp_path, path if "//" in path else site.root + path, **settings))
        return made[-1]

    yield make
    for made_reader in made:
        made_reader.source.close()


Make = Callable[..., Reader]


def status(number: int, **headers: str) -> Page:
    return lambda asked: asked.reply(b"", status=number, length=0, **headers)


def first(*pages: Page) -> Page:
    """A page that answers with one after the other, and stays with the last."""
    turns = itertools.chain(pages, itertools.repeat(pages[-1]))

    def page(asked: Request) -> None:
        next(turns)(asked)

    return page


def good(asked: Request) -> None:
    asked.reply(jpeg())


def fails(reader: Reader, limits: Limits = LIMITS) -> PictureError:
    with pytest.raises(PictureError) as caught:
        reader.read(limits)
    return caught.value


# -- repeated attempts


@pytest.mark.parametrize("number", [429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(site: Site, reader: Make, number: int) -> None:
    site.pages["/p.jpg"] = first(status(number), status(number), good)
    reading = reader()
    assert reading.read() == jpeg()
    assert len(reading.waits) == 2
    assert 0.25 <= reading.waits[0] <= 0.5 <= reading.waits[1] <= 1


@pytest.mark.parametrize("number", [400, 401, 403, 404, 410, 418, 501, 204, 206, 304])
def test_what_will_not_pass_is_asked_for_once(site: Site, reader: Make, number: int) -> None:
    site.pages["/p.jpg"] = first(status(number), good)
    error = fails(reader())
    assert error.kind is ErrorKind.NOT_FETCHED
    assert f"127.0.0.1:{site.port}: {number}" in error.detail
    assert len(site.paths) == 1


def test_attempts_end(site: Site, reader: Make) -> None:
    site.pages["/p.jpg"] = status(503)
    error = fails(reader())
    assert error.detail == f"127.0.0.1:{site.port}: 503 Service Unavailable, 4 times"
    assert len(site.paths) == 4


def test_a_server_says_when_it_wants_to_be_asked_again(site: Site, reader: Make) -> None:
    then = datetime.now(UTC) + timedelta(seconds=100)
    site.pages["/p.jpg"] = first(status(429, Retry_After="7"), status(503, Retry_After=format_datetime(then)), good)
    reading = reader()
    waits: list[float] = []
    for _ in range(2):  # the host is left alone, so the turn for it is not waited for here
        with pytest.raises(Later) as later:
            reading.source.read(reading.name, reading.stat, LIMITS)
        waits.append(later.value.seconds)
    assert waits[0] == 7
    assert 60 < waits[1] <= 100


def test_a_server_that_wants_to_be_left_alone_for_long_is_asked_by_the_next_run(site: Site, reader: Make) -> None:
    site.pages["/p.jpg"] = status(429, Retry_After="86400")
    assert fails(reader()).detail.endswith("429 Too Many Requests")
    assert len(site.paths) == 1


def test_a_server_that_says_no_number_of_seconds_is_asked_again_as_if_it_said_nothing(site: Site, reader: Make) -> None:
    site.pages["/p.jpg"] = first(status(429, Retry_After="1\xb2"), good)
    reading = reader()
    assert reading.read() == jpeg()
    assert len(reading.waits) == 1


def test_a_connection_that_breaks_off_is_tried_again(site: Site, reader: Make) -> None:
    body = jpeg()

    def half(asked: Request) -> None:
        asked.reply(body[:50], length=len(body))
        asked.close_connection = True

    site.pages["/p.jpg"] = first(Request.reset, half, good)
    reading = reader()
    assert reading.read() == body
    assert len(reading.waits) == 2


def test_a_body_that_always_breaks_off_is_no_picture(site: Site, reader: Make) -> None:
    def half(asked: Request) -> None:
        asked.reply(jpeg()[:50], length=500)
        asked.close_connection = True

    site.pages["/p.jpg"] = half
    assert "it ended before it was whole" in fails(reader()).detail


def test_a_connection_that_is_refused_is_not_tried_again(site: Site, reader: Make, unused_port: int) -> None:
    reading = reader(f"http://127.0.0.1:{unused_port}/p.jpg")
    assert fails(reading).detail == f"127.0.0.1:{unused_port}: Connection refused"
    assert reading.waits == []


def test_a_host_that_cannot_be_reached_is_given_up(
    site: Site, reader: Make, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "_FAILURES", 3)
    monkeypatch.setattr(hosts, "_FOR", 0.0)
    reading = reader(f"http://127.0.0.1:{unused_port}/p.jpg")
    said = [fails(reading).detail.partition(": ")[2] for _ in range(5)]
    refused = "not asked any more: 3 connections in a row failed (Connection refused)"
    assert said == [*["Connection refused"] * 3, *[refused] * 2]


def test_a_host_that_can_be_reached_again_is_not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "_FAILURES", 2)
    monkeypatch.setattr(hosts, "_FOR", 0.0)
    several, origin = hosts.Hosts(8, None), Origin("http", "example.org", 80)
    assert several.of(origin).given_up == ""
    for act in (several.failed, lambda at, why: several.connected(at), several.failed):
        act(origin, "it is busy")
    assert several.of(origin).given_up == ""
    several.failed(origin, "it is gone")
    assert several.of(origin).given_up == "not asked any more: 2 connections in a row failed (it is gone)"


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


# -- time


def test_a_server_that_stalls_is_given_up(site: Site, reader: Make) -> None:
    came = threading.Semaphore(0)

    def stall(asked: Request) -> None:
        came.release()
        site.over.wait()

    site.pages["/p.jpg"] = stall
    error = fails(reader(silence=0.05))
    assert error.kind is ErrorKind.READ_TIMED_OUT
    assert all(came.acquire(timeout=60) for _ in range(4))  # the server may come to them after they were given up
    assert len(site.paths) == 4


@pytest.mark.parametrize("part", ["headers", "body"])
def test_a_server_that_sends_a_byte_now_and_then_gains_nothing_by_it(site: Site, reader: Make, part: str) -> None:
    came = threading.Event()

    def trickle(asked: Request) -> None:
        came.set()
        asked.send_response(200)
        if part == "body":
            asked.send_header("Content-Length", "1000000")
            asked.end_headers()
        else:
            asked.flush_headers()
        while not site.over.wait(0.01):
            asked.wfile.write(b"x")

    site.pages["/p.jpg"] = trickle
    error = fails(reader(), replace(LIMITS, read=0.4))
    assert error.kind is ErrorKind.READ_TIMED_OUT
    assert came.wait(60)
    assert len(site.paths) == 1


# -- size


def test_four_gigabytes_are_cut_off_whatever_the_headers_say(site: Site, reader: Make) -> None:
    sent = 0

    def endless(asked: Request) -> None:
        nonlocal sent
        asked.send_response(200)
        asked.send_header("Transfer-Encoding", "chunked")
        asked.end_headers()
        chunk = b"10000\r\n" + bytes(2**16) + b"\r\n"
        while sent < 4 * 2**30:
            asked.wfile.write(chunk)
            sent += 2**16

    site.pages["/p.jpg"] = endless
    reading = reader()
    error = fails(reading, replace(LIMITS, file_size=3 * CHUNK))
    assert error.kind is ErrorKind.TOO_MANY_BYTES
    assert reading.rooms == [3 * CHUNK]
    assert sent < 64 * CHUNK  # as much as fits between two sockets


def test_a_size_that_is_promised_too_large_is_refused_at_once(site: Site, reader: Make) -> None:
    site.pages["/p.jpg"] = lambda asked: asked.reply(b"", length=4 * 2**30)
    assert fails(reader()).kind is ErrorKind.TOO_MANY_BYTES


def test_what_unpacks_to_too_much_is_cut_off(site: Site, reader: Make) -> None:
    bomb = gzip.compress(bytes(64 * CHUNK))
    site.pages["/p.jpg"] = lambda asked: asked.reply(bomb, Content_Encoding="gzip")
    assert fails(reader(), replace(LIMITS, file_size=8 * CHUNK)).kind is ErrorKind.TOO_MANY_BYTES


def test_a_picture_that_was_packed_unasked_is_unpacked(site: Site, reader: Make) -> None:
    site.pages["/p.jpg"] = lambda asked: asked.reply(gzip.compress(jpeg()), Content_Encoding="gzip")
    assert reader().read() == jpeg()
    assert site.asked[0][1]["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("coding", ["br", "gzip"])
def test_what_is_packed_otherwise_than_it_says_fails(site: Site, reader: Make, coding: str) -> None:
    site.pages["/p.jpg"] = lambda asked: asked.reply(jpeg(), Content_Encoding=coding)
    assert fails(reader()).kind is ErrorKind.NOT_FETCHED


def test_room_for_a_large_picture_is_asked_for_before_it_is_read(site: Site, reader: Make) -> None:
    body = jpeg() + bytes(3 * CHUNK)
    site.pages["/p.jpg"] = body
    reading = reader()
    assert reading.read() == body
    assert reading.rooms == [len(body)]
    assert len(site.paths) == 1  # the answer waited for the room


# -- redirects and addresses


def test_redirects_are_followed_and_end(site: Site, reader: Make) -> None:
    for number in range(5):
        site.pages[f"/{number}"] = status(302, Location=f"/{number + 1}")
    site.pages["/5"] = good
    assert reader("/0").read() == jpeg()
    site.pages["/5"] = status(302, Location="/6")
    site.pages["/6"] = good
    assert fails(reader("/0")).detail == "it leads elsewhere more than 5 times"


def test_a_redirect_in_plain_utf8_is_followed(site: Site, reader: Make) -> None:
    site.pages["/p.jpg"] = status(302, Location="/\u00fc.jpg".encode().decode("latin-1"))  # sent as UTF-8
    site.pages["/%C3%BC.jpg"] = good
    assert reader().read() == jpeg()


def test_a_redirect_in_a_circle_ends(site: Site, reader: Make) -> None:
    site.pages["/p.jpg"] = status(301, Location="/p.jpg")
    assert fails(reader()).detail == "it leads elsewhere more than 5 times"
    assert len(site.paths) == 6


def test_a_redirect_out_of_the_web_is_not_followed(site: Site, reader: Make) -> None:
    site.pages["/p.jpg"] = status(302, Location="file:///etc/passwd")
    assert fails(reader()).detail.endswith("does not begin with http:// or https://")


def test_credentials_go_to_their_own_host_only(site: Site, reader: Make) -> None:
    site.pages["/p.jpg"] = status(302, Location=f"http://localhost:{site.port}/there")
    site.pages["/there"] = good
    reading = reader(f"http://us%40er:pass@127.0.0.1:{site.port}/p.jpg")
    assert reading.read() == jpeg()
    sent = [headers["Authorization"] for _, headers in site.asked]
    assert sent == ["Basic " + base64.b64encode(b"us@er:pass").decode(), None]
    assert reading.waits == [0.0]  # the other host has its own turns


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "localhost", "[::ffff:127.0.0.1]"])
def test_this_machine_is_not_asked_unless_allowed(site: Site, reader: Make, host: str) -> None:
    site.pages["/p.jpg"] = good
    error = fails(reader(f"http://{host}:{site.port}/p.jpg", allow_private=False))
    assert error.kind is ErrorKind.ADDRESS_REFUSED
    assert "loopback" in error.detail
    assert site.asked == []


def test_pictures_of_a_refused_address_do_not_wait_for_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    known = hosts.Hosts(per_host=1, rate=0.001)
    origin = Origin("http", "127.0.0.1", 80)
    with known.turn(origin, Token()):
        known.refuse(origin, "127.0.0.1: loopback")
    monkeypatch.setattr(Token, "check", lambda _self: pytest.fail("it waits"))
    for _ in range(3):
        with known.turn(origin, Token()), pytest.raises(addresses.Refused, match=r"^127.0.0.1: loopback$"):
            known.connection(origin, lambda: pytest.fail("it connects"))


def test_a_host_that_is_refused_once_is_not_looked_up_again(
    site: Site, reader: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = reader(f"http://127.0.0.1:{site.port}/p.jpg", allow_private=False)
    assert fails(reading).detail == "127.0.0.1: loopback (source: {fetch: {allow_private: true}} allows it)"
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("it is looked up"))
    assert fails(reading).kind is ErrorKind.ADDRESS_REFUSED


def test_a_redirect_to_an_address_that_is_not_allowed_is_refused(
    site: Site, reader: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.pages["/p.jpg"] = status(302, Location=f"http://localhost:{site.port}/secret")
    monkeypatch.setattr(addresses, "refusal", lambda address: "" if address == "127.0.0.1" else "private")
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, port, **_: [(2, 1, 6, "", ("127.0.0.1" if host == "127.0.0.1" else "10.0.0.1", port))],
    )
    error = fails(reader(allow_private=False))
    assert error.kind is ErrorKind.ADDRESS_REFUSED
    assert site.paths == ["/p.jpg"]


# -- manners


def test_connections_are_kept_alive_and_reopened_when_the_server_has_closed_them(site: Site, reader: Make) -> None:
    connections: list[object] = []

    def page(asked: Request) -> None:
        connections.append(asked.client_address)
        asked.reply(jpeg())
        asked.close_connection = len(connections) == 2  # without a word of it

    site.pages["/p.jpg"] = page
    reading = reader()
    for _ in range(3):
        assert reading.read() == jpeg()
    assert connections[0] == connections[1] != connections[2]


def test_robots_txt_is_asked_once_and_heeded(site: Site, reader: Make) -> None:
    site.pages["/robots.txt"] = b"User-agent: *\nDisallow: /p"
    site.pages["/p.jpg"] = good
    reading = reader(robots=True)
    for _ in range(2):
        with pytest.raises(Forbidden, match=r"robots\.txt"):
            reading.read()
    assert [path for path, _ in site.asked] == ["/robots.txt"]
    assert reader(robots=False).read() == jpeg()


def test_a_robots_txt_that_cannot_be_had_is_waited_for(site: Site, reader: Make) -> None:
    site.pages["/robots.txt"] = first(status(503), lambda asked: asked.reply(b""))
    site.pages["/p.jpg"] = good
    reading = reader(robots=True)
    assert reading.read() == jpeg()
    assert len(reading.waits) == 1


def test_a_site_whose_robots_txt_ends_in_an_error_of_its_server_is_not_asked(site: Site, reader: Make) -> None:
    site.pages["/robots.txt"] = status(522)
    site.pages["/p.jpg"] = good
    assert "522" in fails(reader(robots=True)).detail
    assert site.paths == []


def test_a_picture_whose_site_says_noai_is_left_alone(site: Site, reader: Make) -> None:
    site.pages["/p.jpg"] = lambda asked: asked.reply(jpeg(), X_Robots_Tag="noai")
    with pytest.raises(Forbidden, match="noai"):
        reader(robots=True).read()
    assert reader(robots=False).read() == jpeg()


def test_a_host_has_a_number_of_requests_at_a_time(site: Site, reader: Make) -> None:
    at_once: list[int] = []
    lock, now = threading.Lock(), 0
    two = threading.Barrier(2, timeout=60)

    def page(asked: Request) -> None:
        nonlocal now
        with lock:
            now += 1
            at_once.append(now)
        two.wait()
        with lock:
            now -= 1
        asked.reply(jpeg())

    site.pages["/p.jpg"] = page
    reading = reader(per_host=2)

    def fetch() -> None:
        with (
            reading.source.turn(reading.name, reading.stat, Token()),
            reading.source.read(reading.name, reading.stat, LIMITS),
        ):
            pass

    threads = [threading.Thread(target=fetch) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(at_once) == 2


# -- what has not changed


def test_the_next_request_asks_whether_anything_has_changed(site: Site, reader: Make) -> None:
    def page(asked: Request) -> None:
        if asked.headers["If-None-Match"] == '"v1"' and asked.headers["If-Modified-Since"] == "yesterday":
            asked.reply(b"", status=304, length=0)
        else:
            asked.reply(jpeg(), ETag='"v1"', Last_Modified="yesterday")

    site.pages["/p.jpg"] = page
    reading = reader()
    reading.read()
    assert reading.stat.remote is not None
    assert (reading.stat.remote.etag, reading.stat.remote.last_modified) == ('"v1"', "yesterday")
    with pytest.raises(Untouched):
        reading.read()
    reading.stat = replace(reading.stat, remote=reading.stat.remote.validated('"v0"', None))
    assert reading.read() == jpeg()


def test_validators_that_could_break_a_request_are_not_kept(site: Site, reader: Make) -> None:
    site.pages["/p.jpg"] = lambda asked: asked.reply(jpeg(), ETag="x" * 600)
    reading = reader()
    reading.read()
    assert reading.stat.remote is not None
    assert reading.stat.remote.etag is None


class Remembering:
    """What a manifest would remember of one URL."""

    def __init__(self, path: str, stat: Stat) -> None:
        self.known = {path: stat}

    def origins(self, folder: str, after: str | None = None, through: str | None = None) -> dict[str, Stat]:
        return self.known


@pytest.mark.parametrize(
    ("refresh", "age", "fresh"), [(None, 1e9, True), (0.0, 0.0, False), (60, 30, True), (60, 90, False)]
)
def test_a_url_is_asked_again_when_it_is_due(
    site: Site, reader: Make, refresh: float | None, age: float, fresh: bool
) -> None:
    reading = reader(refresh=refresh)
    asked = reading.stat.ctime_ns - int(age * 1e9) - 1
    folder = f"127.0.0.1_{site.port}"
    reading.source.remember(Remembering(f"{folder}/p.jpg", replace(reading.stat, ctime_ns=asked, size=5)))
    (now,) = reading.source.stats(folder, ["p.jpg"])
    assert now is not None
    assert now.same_content(replace(reading.stat, ctime_ns=asked, size=5)) is fresh


def test_a_host_is_asked_at_its_rate(site: Site, reader: Make) -> None:
    site.pages["/p.jpg"] = good
    reading = reader(rate=0.001)
    assert reading.read() == jpeg()
    token = Token()
    token.revoke()
    with pytest.raises(Revoked), reading.source.turn(reading.name, reading.stat, token):  # it would wait for 1,000 s
        pass


# -- proxies


def test_a_proxy_is_asked_only_if_the_config_says_so(site: Site, reader: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", site.root.replace("//", "//us:er@"))
    monkeypatch.delenv("no_proxy", raising=False)
    site.pages["http://pictures.invalid/p.jpg"] = good
    assert reader("http://pictures.invalid/p.jpg", proxy=True, allow_private=False).read() == jpeg()
    (path, headers), *more = site.asked
    assert (path, more) == ("http://pictures.invalid/p.jpg", [])
    assert headers["Host"] == "pictures.invalid"
    assert headers["Proxy-Authorization"] == "Basic " + base64.b64encode(b"us:er").decode()
    assert fails(reader("http://pictures.invalid/p.jpg")).kind is ErrorKind.NOT_FETCHED
    assert len(site.asked) == 1


def test_a_proxy_that_refuses_a_tunnel_fails_the_picture(
    site: Site, reader: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", site.root)
    error = fails(reader("https://pictures.invalid/p.jpg", proxy=True))
    assert error.kind is ErrorKind.NOT_FETCHED
    assert "the proxy answers 501" in error.detail


def test_a_proxy_that_sends_a_byte_now_and_then_gains_nothing_by_it(
    site: Site, reader: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trickle(asked: Request) -> None:
        while not site.over.wait(0.01):
            asked.wfile.write(b"x")

    monkeypatch.setattr(Request, "do_CONNECT", trickle)
    monkeypatch.setenv("https_proxy", site.root)
    error = fails(reader("https://pictures.invalid/p.jpg", proxy=True), replace(LIMITS, read=0.4))
    assert error.kind is ErrorKind.READ_TIMED_OUT


# -- TLS


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The certificate of the tests is one of the system's."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    tls.cache_clear()
    yield
    tls.cache_clear()


@pytest.fixture
def safe_site() -> Iterator[Site]:
    with serving(tls=True) as site:
        site.pages["/p.jpg"] = good
        yield site


def test_a_picture_comes_over_tls(safe_site: Site, reader: Make, trusted: None) -> None:
    assert reader(f"{safe_site.root}/p.jpg").read() == jpeg()


def test_a_server_that_nobody_vouches_for_is_not_asked(safe_site: Site, reader: Make) -> None:
    assert "its certificate is not trusted: self-signed certificate" in fails(reader(f"{safe_site.root}/p.jpg")).detail
    assert safe_site.asked == []


def test_a_certificate_for_another_name_is_not_taken(safe_site: Site, reader: Make, trusted: None) -> None:
    error = fails(reader(f"https://127.0.0.1:{safe_site.port}/p.jpg"))
    assert "its certificate is not trusted: IP address mismatch" in error.detail
    assert safe_site.asked == []


def test_a_picture_comes_through_the_tunnel_of_a_proxy(
    site: Site, safe_site: Site, reader: Make, trusted: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", site.root.replace("//", "//us:er@"))
    monkeypatch.delenv("no_proxy", raising=False)
    site.behind = safe_site.port
    assert reader("https://pictures.invalid/p.jpg", proxy=True, allow_private=False).read() == jpeg()
    ((asked, headers),) = site.asked
    assert asked == "pictures.invalid:443"
    assert headers["Proxy-Authorization"] == "Basic " + base64.b64encode(b"us:er").decode()
    (_, passed_on), *more = safe_site.asked
    assert (passed_on["Proxy-Authorization"], more) == (None, [])
