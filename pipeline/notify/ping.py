"""Pings a service such as healthchecks at the start and end of a run: the service notices a run that does not come.

The URL is a secret: it is enough to fake success. It is in no message, no exception that leaves this module, and
no `repr`.
"""

from __future__ import annotations

import queue
import threading
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlencode, urlsplit, urlunsplit

from pipeline import __version__

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

_TIMEOUT = 5.0  # seconds for each step of one try
_PAUSES = (1.0, 3.0)  # seconds before the second try and the third
MOST_TEXT = 10_000  # bytes of the body: what healthchecks keeps
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})  # answers after which another try makes sense


class UnusableUrl(ValueError):
    """The text is no URL to ping. It is not in the message."""


@dataclass(frozen=True, slots=True)
class _Call:
    suffix: str
    run: str
    text: str
    last: bool


class Ping:
    """Sends in a thread of its own, so that a service that does not answer delays the run in `wait` only."""

    def __init__(self, url: str, pauses: tuple[float, ...] = _PAUSES) -> None:
        """Raises `UnusableUrl` for what is not http or https to a host."""
        self._url = _split(url)
        self._pauses = pauses
        self._calls: queue.SimpleQueue[_Call] = queue.SimpleQueue()
        self._ending = threading.Event()  # the end is known: the start is not tried again
        self._done = threading.Event()
        self._trouble = ""
        self._thread = threading.Thread(target=self._serve, name="ping", daemon=True)
        self._thread.start()

    def begin(self, run: str) -> None:
        """Send that the run (32 hexadecimal digits) has started. Returns at once."""
        self._calls.put(_Call("start", run, "", last=False))

    def end(self, run: str, status: int, text: str, *, succeeded: bool) -> None:
        """Send how the run ended. Returns at once; `wait` comes next."""
        self._ending.set()
        self._calls.put(_Call("" if succeeded else str(int(status)), run, text, last=True))

    def wait(self, seconds: float) -> str:
        """Wait up to `seconds` for the end to be sent. Gives what went wrong in one line, or ""."""
        if not self._done.wait(seconds):
            return "notify.ping: no answer in time"
        return f"notify.ping: {self._trouble}" if self._trouble else ""

    def _serve(self) -> None:
        while not self._done.is_set():
            call = self._calls.get()
            try:
                trouble = self._send(call)
            except Exception as error:  # noqa: BLE001 - any text could hold the URL, so none is passed on
                trouble = f"failed ({type(error).__name__})"
            if call.last:
                self._trouble = trouble
                self._done.set()

    def _send(self, call: _Call) -> str:
        opener = _opener()
        trouble, again = self._try(opener, call)
        for pause in self._pauses:
            if not again or (not call.last and self._ending.wait(pause)):
                break
            if call.last:
                time.sleep(pause)
            trouble, again = self._try(opener, call)
        return trouble

    def _try(self, opener: OpenerDirector, call: _Call) -> tuple[str, bool]:
        """What went wrong, and whether another try may help."""
        from urllib.error import HTTPError, URLError  # noqa: PLC0415 - with ssl 60 ms, paid in this thread
        from urllib.request import Request  # noqa: PLC0415

        headers = {"User-Agent": f"pipeline/{__version__}", "Content-Type": "text/plain; charset=utf-8"}
        request = Request(self._address(call), call.text.encode(), headers, method="POST")  # noqa: S310 - see _split
        try:
            with opener.open(request, timeout=_TIMEOUT):
                return "", False
        except HTTPError as error:
            error.close()
            if error.code in range(300, 400):
                return f"the server redirects (status {error.code}) to where we do not go", False
            return f"the server answers with status {error.code}", error.code in _AGAIN
        except URLError as error:
            return _words(error.reason), True
        except OSError as error:
            return _words(error), True

    def _address(self, call: _Call) -> str:
        path = self._url.path.rstrip("/") + (f"/{call.suffix}" if call.suffix else "")
        about = urlencode({"rid": str(uuid.UUID(call.run))}) if call.run else ""
        return urlunsplit(self._url._replace(path=path, query="&".join(filter(None, (self._url.query, about)))))


def check(url: str) -> None:
    """Raises `UnusableUrl` for what is no URL to ping. Nothing is sent."""
    _split(url)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
        fine = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc and parts.port != 0
    except ValueError:  # its text may hold the URL
        fine = False
    if not fine or not url.strip().isascii() or not url.strip().isprintable() or " " in url.strip():
        raise UnusableUrl("is no http:// or https:// URL without user and password")
    return parts._replace(fragment="")


def _opener() -> OpenerDirector:
    """An opener for http and https only: no files, no FTP, and no redirects to another server."""
    from urllib import request  # noqa: PLC0415 - see _try

    class SameServer(request.HTTPRedirectHandler):
        """Repeats the request at another path of the server, but not for 303: a GET would report nothing."""

        def redirect_request(  # type: ignore[no-untyped-def]  # urllib's own, with six parameters of no known type
            self, req, _fp, code, _msg, _headers, newurl
        ):
            if code == 303 or urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
                return None
            return request.Request(newurl, req.data, req.headers, method=req.method)  # noqa: S310 - the same scheme

    opener = request.OpenerDirector()
    for part in (
        request.ProxyHandler(),
        request.HTTPHandler(),
        request.HTTPSHandler(),
        request.HTTPDefaultErrorHandler(),
        request.HTTPErrorProcessor(),
        SameServer(),
    ):
        opener.add_handler(part)
    return opener


def _words(reason: object) -> str:
    """The text of a network error, without anything that a server or a URL could have put into it."""
    if isinstance(reason, TimeoutError):
        return "timed out"
    if type(reason).__name__ == "SSLCertVerificationError":
        return "the server's certificate is not trusted"
    number = getattr(reason, "errno", None)
    return f"cannot connect ({getattr(reason, 'strerror', None) or type(reason).__name__})" if number else "failed"
