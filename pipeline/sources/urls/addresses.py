"""Which addresses a URL may lead to, checked on the very address that is connected to.

A name is resolved once, and every address that it has is judged before any of them is connected to. So no second
look-up can give another answer, and it makes no difference how an address is spelled: `127.1`, `0x7f000001` and
`[::ffff:127.0.0.1]` are one address when the resolver has read them.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Callable

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL = tuple(map(ipaddress.ip_network, ("100.64.0.0/10", "192.0.0.0/24")))  # in no table of older Pythons
_METADATA = ipaddress.IPv4Address("168.63.129.16")  # Azure's; those of other clouds are refused as not public


class Refused(Exception):
    """A name leads to an address that is not on the public internet. The text names both."""


def refusal(address: str) -> str:
    """Why the numeric `address` is not to be connected to; "" for one on the public internet."""
    whole = ipaddress.ip_address(address.partition("%")[0])  # without the zone of a link-local one
    if not (within := _within(whole)):
        return _kind(whole)
    return next((f"{why}, as {address}" for address in within if (why := _kind(address))), "")


def connect(host: str, port: int, left: Callable[[], float], *, allow_private: bool) -> socket.socket:
    """A TCP connection to `host`. Raises `OSError` and `Refused`.

    `left` gives the seconds for the next of its addresses, and raises `TimeoutError` when the time for all is over.
    """
    places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if not allow_private:
        for *_, place in places:
            if why := refusal(str(place[0])):
                raise Refused(f"{host}{'' if place[0] == host else f' is {place[0]}'}: {why}")
    error: OSError = OSError(errno.EADDRNOTAVAIL, "the name has no address")
    for family, kind, protocol, _, place in places:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(left())
            sock.connect(place)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as failure:
            sock.close()
            error = failure
        else:
            return sock
    raise error


def _within(address: _Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses that an IPv6 address stands for: mapped, 6to4, Teredo's two, NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [address for address in inner if address is not None]


def _kind(address: _Address) -> str:
    """What an address is that is not public, in a word or two; "" for a public one."""
    if address == _METADATA:
        return "a metadata service"
    for name in ("loopback", "link_local", "multicast", "unspecified", "reserved"):
        if getattr(address, f"is_{name}"):
            return name.replace("_", "-")
    local = any(address in network for network in _LOCAL) or getattr(address, "is_site_local", False)
    return "private" if local or not address.is_global else ""
