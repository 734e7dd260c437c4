"""What is not on the public internet is not connected to, however it is spelled."""

from __future__ import annotations

import socket

import pytest

from pipeline.sources.urls import addresses
from pipeline.sources.urls.addresses import Refused, refusal

LOOPBACK = ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "2002:7f00:1::", "64:ff9b::7f00:1"]
PRIVATE = ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fc00::1", "fd12::1", "fec0::1"]
PRIVATE += ["::ffff:10.0.0.1", "2002:a00:1::", "::ffff:192.168.0.1", "192.0.0.1", "198.18.0.1", "203.0.113.1"]
LINK_LOCAL = ["169.254.1.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.1.1"]
METADATA = ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16", "2002:a9fe:a9fe::"]
OTHERS = ["224.0.0.1", "ff02::1", "0.0.0.0", "::", "255.255.255.255", "240.0.0.1", "::127.0.0.1"]
TEREDO = "2001:0:4136:e378:8000:63bf:80ff:fffe"  # by way of 65.54.227.120, of a client at 127.0.0.1


@pytest.mark.parametrize("address", [*LOOPBACK, *PRIVATE, *LINK_LOCAL, *METADATA, *OTHERS, TEREDO])
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert refusal(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "172.32.0.1", "2606:4700::1", "::ffff:8.8.8.8", "2002:808:808::", "64:ff9b::808:808", "100.128.0.1"],
)
def test_a_public_address_is_not(address: str) -> None:
    assert refusal(address) == ""


@pytest.mark.parametrize(
    "spelling", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "::1", "::ffff:127.0.0.1", "localhost"]
)
def test_no_spelling_of_this_machine_is_connected_to(spelling: str) -> None:
    with pytest.raises(Refused, match="loopback"):
        addresses.connect(spelling, 9, lambda: 1.0, allow_private=False)


def test_one_private_address_among_those_of_a_name_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    def two(host: str, port: int, **_: object) -> list[object]:
        stream = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*stream, ("93.184.216.34", port)), (*stream, ("10.0.0.7", port))]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    with pytest.raises(Refused, match=r"^example.org is 10.0.0.7: private$"):
        addresses.connect("example.org", 80, lambda: 1.0, allow_private=False)


def test_addresses_that_do_not_answer_take_no_longer_than_the_deadline_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits = iter([3.0, 1.0])  # then the deadline is over
    given: list[float | None] = []

    class Silent(socket.socket):
        def connect(self, address: object) -> None:
            given.append(self.gettimeout())
            raise TimeoutError("timed out")

    def left() -> float:
        if (wait := next(waits, None)) is None:
            raise TimeoutError("timed out")
        return wait

    many = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"93.184.216.{number}", 80)) for number in range(1, 9)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: many)
    monkeypatch.setattr(socket, "socket", Silent)
    with pytest.raises(TimeoutError):
        addresses.connect("example.org", 80, left, allow_private=False)
    assert given == [3.0, 1.0]


def test_a_name_is_looked_up_once_so_that_no_second_answer_can_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def rebinding(host: str, *_: object, **__: object) -> list[object]:
            looked.append(host)
            address = "127.0.0.1" if len(looked) == 1 else "10.0.0.1"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        with addresses.connect("example.org", port, lambda: 5.0, allow_private=True) as sock:
            assert sock.getpeername() == ("127.0.0.1", port)
    assert looked == ["example.org"]
