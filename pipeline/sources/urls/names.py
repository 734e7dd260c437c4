"""URLs: which are taken, what may be shown of them, and the name that a picture gets from one.

A URL may hold secrets: a user and password before the host, a signature in its query. Nothing but `shown` goes into
messages, records and logs.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote_to_bytes, urljoin, urlsplit

PORTS = {"http": 80, "https": 443}
_LONGEST = 8192  # characters of a URL
_PART, _PATH = 180, 900  # bytes of one part of a name, and of a whole one: a rendition's name must still fit
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\<>:"|?*]')


@dataclass(frozen=True, slots=True)
class Origin:
    """What a connection leads to."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Place:
    """A URL, taken apart. `repr` shows no secret."""

    origin: Origin
    path: str  # as it is sent, without the query
    query: str
    user: str  # with the password, still quoted

    @property
    def target(self) -> str:
        """What is asked for in a request."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def shown(self) -> str:
        """The URL without its user and query."""
        return f"{self.origin.scheme}://{self.origin}{self.path}{'?...' if self.query else ''}"

    def __repr__(self) -> str:
        return f"Place({self.shown!r})"


def place(url: str) -> Place:
    """The parts of a URL. Raises `ValueError` with a text that shows nothing of it."""
    if len(url) > _LONGEST:
        raise ValueError(f"is longer than {_LONGEST} characters")
    try:
        url.encode()
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").rstrip(".")
        if not host.isascii():
            host = host.encode("idna").decode()
    except (ValueError, UnicodeError):
        raise ValueError("is not a URL that can be read") from None
    if parts.scheme not in PORTS:
        raise ValueError("does not begin with http:// or https://")
    if not host or re.search(r"[^A-Za-z0-9.:_%~-]", host):
        raise ValueError("has no host that can be read")
    origin = Origin(parts.scheme, host.lower(), PORTS[parts.scheme] if port is None else port)
    return Place(origin, sent(parts.path) or "/", sent(parts.query), _user(parts))


def followed(base: Place, location: str) -> Place:
    """Where a redirect from `base` leads. Credentials are kept at the same origin only. Raises `ValueError`."""
    try:
        url = urljoin(f"{base.origin.scheme}://{base.origin}{base.target}", location)
    except ValueError:  # whose text may have user and password in it
        raise ValueError("leads to what is not a URL") from None
    to = place(url)
    user = to.user or (base.user if to.origin == base.origin else "")
    return Place(to.origin, to.path, to.query, user)


def identity(url: str) -> int:
    """63 bits that stand for a URL, its query included."""
    return int.from_bytes(hashlib.sha256(url.encode(errors="surrogatepass")).digest()[:8]) >> 1


def from_path(at: Place) -> str:
    """The host and path of a URL as a relative path that is safe everywhere; the query is not in it."""
    return safe(f"{str(at.origin).strip('[]')}/{unquote_to_bytes(at.path).decode(errors='replace')}")


def from_hash(url: str, at: Place) -> str:
    """32 hex digits for the whole URL, in a folder of the first two, with the extension of its path if it has one."""
    digest = hashlib.sha256(url.encode(errors="surrogatepass")).hexdigest()[:32]
    suffix = re.search(r"\.[A-Za-z0-9]{1,5}$", at.path)
    return f"{digest[:2]}/{digest}{suffix[0].lower() if suffix else ''}"


def encodable(text: str) -> str:
    """`text` with `?` for halves of surrogate pairs, which JSON can say and nothing can store."""
    return text.encode(errors="replace").decode()


def safe(text: str) -> str:
    """`text` as a relative path: no empty, hidden or overlong parts, nothing that another system would not take.

    Raises `ValueError` where nothing is left of it.
    """
    parts = []
    for part in unicodedata.normalize("NFC", encodable(text)).split("/"):
        plain = _UNSAFE.sub("_", part).strip()
        if plain.strip(".") == "":
            continue
        plain = plain.rstrip(".") if not plain.startswith(".") else f"_{plain[1:].rstrip('.')}"
        parts.append(_cut(plain, _PART))
    if not parts:
        raise ValueError("leaves no name")
    path = "/".join(parts)
    return path if len(path.encode()) <= _PATH else f"{parts[0]}/{_cut(parts[-1], _PART, path)}"


def _cut(part: str, most: int, told_by: str = "") -> str:
    """`part`, shortened to `most` bytes where it is longer, with a hash of the whole.

    `told_by`: a text to hash in place of `part`; with it, even a short part gets the hash.
    """
    if len(part.encode()) <= most and not told_by:
        return part
    stem, dot, extension = part.rpartition(".")
    if not dot or len(extension) > 5:
        stem, extension = part, ""
    tail = f"-{hashlib.sha256((told_by or part).encode()).hexdigest()[:12]}{'.' * bool(extension)}{extension}"
    return stem.encode()[: most - len(tail.encode())].decode(errors="ignore") + tail


def sent(text: str) -> str:
    """As a browser sends it: what may not stand in a request is quoted, what is quoted stays."""
    return quote(text, safe="%/:?#[]@!$&'()*+,;=~-._|")


def _user(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[0]
