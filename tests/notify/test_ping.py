from __future__ import annotations

import socket

import pytest

from pipeline.notify.ping import MOST_TEXT, Ping, UnusableUrl
from tests.notify.conftest import RID, RUN, Service

NOW = (0.0, 0.0)


def ended(ping: Ping, status: int = 0, text: str = "fine") -> str:
    ping.end(RUN, status, text, succeeded=status == 0)
    return ping.wait(30)


def test_a_start_and_an_end_carry_the_run_and_the_end_its_text(service: Service) -> None:
    ping = Ping(service.url)
    ping.begin(RUN)
    assert ended(ping) == ""
    assert service.asked == [
        ("POST", f"/s3cret/start?rid={RID}", ""),
        ("POST", f"/s3cret?rid={RID}", "fine"),
    ]


def test_a_failure_is_told_with_its_status(service: Service) -> None:
    assert ended(Ping(service.url), 3, "disk full") == ""
    assert service.asked == [("POST", f"/s3cret/3?rid={RID}", "disk full")]


def test_a_query_in_the_url_stays_behind_the_path(service: Service) -> None:
    assert ended(Ping(service.url + "/slug/?create=1#part"), 1) == ""
    assert service.asked[0][1] == f"/s3cret/slug/1?create=1&rid={RID}"


def test_a_service_in_trouble_is_tried_again(service: Service) -> None:
    service.answers = [503, 429]
    assert ended(Ping(service.url, NOW)) == ""
    assert len(service.asked) == 3


@pytest.mark.parametrize("status", [404, 400, 401])
def test_a_refusal_is_not_repeated_and_told_without_the_url(service: Service, status: int) -> None:
    service.answers = [status]
    assert ended(Ping(service.url, NOW)) == f"notify.ping: the server answers with status {status}"
    assert len(service.asked) == 1


def test_a_start_that_nobody_takes_does_not_hold_up_the_end(service: Service) -> None:
    service.answers = [503]
    ping = Ping(service.url, (3600.0,))  # the start's second try would be an hour away
    ping.begin(RUN)
    assert ended(ping) == ""
    assert [path for _, path, _ in service.asked] == [f"/s3cret/start?rid={RID}", f"/s3cret?rid={RID}"]


def test_a_service_that_never_answers_costs_no_more_than_the_wait(service: Service) -> None:
    service.hold.clear()
    ping = Ping(service.url)
    ping.begin(RUN)
    ping.end(RUN, 0, "", succeeded=True)
    assert ping.wait(0.1) == "notify.ping: no answer in time"


@pytest.mark.parametrize(
    "location",
    [
        "https:///etc/passwd",
        "ftp:///etc/passwd",
        "file:///etc/passwd",
        "https://{server}/",
        "http://127.0.0.1:1/s3cret",
        "http://localhost:{port}/s3cret",
        "//127.0.0.1:1/s3cret",
        "http://user@{server}/s3cret",
    ],
)
def test_a_redirect_to_another_scheme_host_or_port_is_not_followed(service: Service, location: str) -> None:
    server = service.url.split("/")[2]
    service.answers, service.location = [302], location.format(server=server, port=server.rpartition(":")[2])
    assert ended(Ping(service.url, NOW)) == "notify.ping: the server redirects (status 302) to where we do not go"
    assert len(service.asked) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_another_path_is_told_the_same(service: Service, status: int) -> None:
    service.answers, service.location = [status], "/elsewhere"
    assert ended(Ping(service.url, NOW)) == ""
    assert service.asked == [("POST", f"/s3cret?rid={RID}", "fine"), ("POST", "/elsewhere", "fine")]


def test_a_redirect_that_asks_for_another_method_is_not_followed(service: Service) -> None:
    service.answers, service.location = [303], "/elsewhere"
    assert ended(Ping(service.url, NOW)) == "notify.ping: the server redirects (status 303) to where we do not go"
    assert len(service.asked) == 1


def test_nobody_there_is_told_without_the_url() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        port = taken.getsockname()[1]
        text = ended(Ping(f"http://127.0.0.1:{port}/s3cret", NOW))
    assert text == "notify.ping: cannot connect (Connection refused)"


def test_an_answer_that_is_no_http_is_told_without_the_url() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ping = Ping(f"http://127.0.0.1:{server.getsockname()[1]}/s3cret", ())
        ping.end(RUN, 0, "", succeeded=True)
        connection, _ = server.accept()
        connection.recv(10_000)
        connection.sendall(b"s3cret s3cret\r\n\r\n")
        connection.close()
        text = ping.wait(30)
    assert text.startswith("notify.ping: ")
    assert "s3cret" not in text


@pytest.mark.parametrize(
    "url",
    [
        "",
        "s3cret",
        "ftp://hc.example/s3cret",
        "file:///etc/s3cret",
        "https:///s3cret",
        "https://user:s3cret@hc.example/",
        "https://hc.example:s3cret/",
        "https://[s3cret",
        "https://hc.example/s3cret\x1b[31m",
        "https://hc.example/s3cret with spaces",
        "https://hc.example/s3cret\xe9",
    ],
)
def test_what_is_no_url_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(UnusableUrl) as error:
        Ping(url)
    assert "s3cret" not in str(error.value)
    assert error.value.__cause__ is None


def test_a_ping_does_not_show_its_url(service: Service) -> None:
    ping = Ping(service.url)
    assert "s3cret" not in repr(ping)
    assert ended(ping) == ""


def test_the_text_is_bounded() -> None:
    assert MOST_TEXT <= 10_000
