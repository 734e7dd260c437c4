"""The way of one URL to its bytes, over redirects and repeated attempts."""

from __future__ import annotations

import email.utils
import http.client
import random
import socket
import ssl
import time
from dataclasses import dataclass

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.source import Remote
from pipeline.model.spec import Limits
from pipeline.sources.reading import Copied
from pipeline.sources.source import Forbidden, Grown, Later, Untouched
from pipeline.sources.urls import robots
from pipeline.sources.urls.addresses import Refused
from pipeline.sources.urls.body import Body, Torn
from pipeline.sources.urls.client import REDIRECTS, Client, Exchange, Status, what
from pipeline.sources.urls.hosts import GivenUp
from pipeline.sources.urls.names import Origin, place

_ATTEMPTS = 4
_BACK_OFF = 0.5  # seconds before the second attempt, twice that before the third; less up to a half of it by chance
_PATIENCE = 120.0  # seconds: a server that wants to be left alone for longer is asked by the next run
_SHARE = 0.9  # of `limits.read`: the rest is for what cannot be bounded here, such as the look-up of a name
_TRANSIENT = (
    TimeoutError,
    ConnectionResetError,
    ConnectionAbortedError,
    BrokenPipeError,
    http.client.IncompleteRead,
    ssl.SSLEOFError,
    Torn,
)
_FAULTS = (OSError, http.client.HTTPException, GivenUp, Refused, Status, Torn, ValueError)


@dataclass(frozen=True, slots=True)
class Arrived:
    """The bytes of a URL, with what its server said of them."""

    copied: Copied
    head: bytes
    remote: Remote


class Fetch:
    """One URL, until its bytes have come or it has failed. For one thread.

    What has come by then is kept while the caller waits, for more room or for the turn of another host.
    """

    def __init__(self, client: Client, remote: Remote) -> None:
        """Raises `PictureError` for a URL that cannot be read."""
        self._client = client
        self.remote = remote
        self._start = self._at = place(remote.url)
        self._redirects = 0
        self._attempts = 1
        self._spent = 0.0
        self._exchange: Exchange | None = None
        self._body: Body | None = None

    @property
    def origin(self) -> Origin:
        """The host that is asked next."""
        return self._at.origin

    def go_on(self, most: int, limits: Limits) -> Arrived:
        """Ask, or read on where the last call stopped.

        Raises `Later` and `Grown`, after which it may be called again, and what ends it: `PictureError`, `Forbidden`,
        `Untouched`, `SourceTrouble`.
        """
        began = time.monotonic()
        until = began + limits.read * _SHARE - self._spent
        try:
            return self._arrived(most, limits, until)
        except _FAULTS as error:
            self.close()
            self._spent += time.monotonic() - began
            raise self._verdict(error, limits.read * _SHARE) from error
        except (Later, Grown):
            self._spent += time.monotonic() - began
            raise

    def close(self) -> None:
        """Drop everything. Idempotent."""
        if self._body is not None:
            self._body.close()
            self._body = None
        if self._exchange is not None:
            self._exchange.close()
            self._exchange = None

    def _arrived(self, most: int, limits: Limits, until: float) -> Arrived:
        if self._exchange is None or self._body is None:
            self._exchange = self._answered(until)
            self._body = Body(self._exchange.answer, limits.file_size)
        self._exchange.until(until)
        copied = self._body.rest(most)
        answer, head = self._exchange.answer, self._body.head
        self._exchange.finish()
        etag = last_modified = None
        if self._at == self._start:  # after a redirect it would not be known what they are about
            etag, last_modified = (_short(answer.headers.get(name)) for name in ("ETag", "Last-Modified"))
        return Arrived(copied, head, self.remote.validated(etag, last_modified))

    def _answered(self, until: float) -> Exchange:
        """The answer that has the picture."""
        while True:
            if not self._client.rules(self._at.origin, until).allow(self._at.target):
                raise Forbidden("the site's robots.txt forbids it")
            exchange = self._client.ask(self._at, self._conditions(), until)
            try:
                to = exchange.to
                if to is None:
                    self._judge(exchange.answer)
                    return exchange
                exchange.finish()
            except (Status, Untouched, Forbidden):
                exchange.finish()
                raise
            except BaseException:
                exchange.close()
                raise
            self._redirects += 1
            if self._redirects > REDIRECTS:
                raise PictureError(ErrorKind.NOT_FETCHED, f"it leads elsewhere more than {REDIRECTS} times")
            elsewhere = to.origin != self._at.origin
            self._at = to
            if elsewhere:
                raise Later(0.0)

    def _conditions(self) -> dict[str, str]:
        """The headers that let the server say that nothing has changed."""
        if self._at != self._start:
            return {}
        pairs = (("If-None-Match", self.remote.etag), ("If-Modified-Since", self.remote.last_modified))
        return {name: value for name, value in pairs if value is not None}

    def _judge(self, answer: http.client.HTTPResponse) -> None:
        if answer.status == http.client.NOT_MODIFIED and self._conditions():
            etag = _short(answer.headers.get("ETag")) or self.remote.etag
            raise Untouched(self.remote.validated(etag, self.remote.last_modified))
        if answer.status != http.client.OK:
            raise Status(answer.status, answer.headers.get("Retry-After"))
        if self._client.heeds_robots and (word := robots.refuses(answer.headers.get_all("X-Robots-Tag") or ())):
            raise Forbidden(f"its site says {word} (X-Robots-Tag)")

    def _verdict(self, error: Exception, patience: float) -> Exception:
        """What an error comes to: another attempt or the end."""
        if _passes(error) and self._attempts < _ATTEMPTS and self._spent < patience:
            wait = _BACK_OFF * 2 ** (self._attempts - 1) * random.uniform(0.5, 1)  # noqa: S311 - spreads attempts
            asked = _seconds(error.retry_after) if isinstance(error, Status) else None
            if asked is None or asked <= _PATIENCE:
                if asked is not None:
                    self._client.hosts.leave_alone(self._at.origin, asked)
                self._attempts += 1
                self._at, self._redirects = self._start, 0
                return Later(max(wait, asked or 0.0))
        if isinstance(error, Refused):
            return PictureError(
                ErrorKind.ADDRESS_REFUSED, f"{error} (source: {{fetch: {{allow_private: true}}}} allows it)"
            )
        tried = f", {self._attempts} times" if self._attempts > 1 else ""
        kind = ErrorKind.READ_TIMED_OUT if isinstance(error, TimeoutError) else ErrorKind.NOT_FETCHED
        return PictureError(kind, f"{self._at.origin}: {_text(error)}{tried}")


def _passes(error: Exception) -> bool:
    """Whether another attempt may succeed."""
    if isinstance(error, Status):
        return error.passes
    if isinstance(error, socket.gaierror):
        return error.errno == socket.EAI_AGAIN
    return isinstance(error, _TRANSIENT)


def _text(error: Exception) -> str:
    """As `what`, of any error."""
    if isinstance(error, OSError):
        return what(error)
    if isinstance(error, http.client.IncompleteRead):
        return "it ended before it was whole"
    return "it does not speak HTTP" if isinstance(error, http.client.HTTPException) else str(error)


def _seconds(retry_after: str | None) -> float | None:
    """The seconds of a Retry-After header, which holds seconds or a date; None where it holds neither."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():  # a ² is a digit, and no number
        return float(retry_after.strip()[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _short(value: str | None) -> str | None:
    """A header that can be kept and sent back; None for one that is overlong or could break a request."""
    if value is None or len(value) > 512 or not value.isascii() or not value.isprintable():
        return None
    return value
