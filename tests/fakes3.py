"""An S3 server in the test's own process: one bucket in memory, with conditional puts, and faults on demand."""

from __future__ import annotations

import datetime
import hashlib
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from tests.site import Server


@dataclass
class Object:
    content: bytes
    headers: dict[str, str] = field(default_factory=dict)
    modified: datetime.datetime = field(default_factory=lambda: datetime.datetime.now(datetime.UTC))

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.content).hexdigest()}"'


class Bucket:
    """The objects by key, and what was asked for. `before` may answer a request itself: then it returns True."""

    name = "pictures"

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.asked: list[tuple[str, str]] = []
        self.before: Callable[[Request, str], bool] = lambda request, key: False
        self.lock = threading.Lock()
        self._server = Server(("127.0.0.1", 0), type("Bound", (Request,), {"bucket": self}))
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def put(self, name: str, content: bytes) -> None:
        self.objects[name] = Object(content)

    def tree(self) -> dict[str, bytes]:
        """The content of every object but the program's own, by key."""
        return {name: each.content for name, each in sorted(self.objects.items()) if ".pipeline/" not in name}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes: the second would wait 40 ms for an answer
    bucket: Bucket

    def do_GET(self) -> None:
        bucket, key = self.bucket, self._key()
        if bucket.before(self, key):
            return
        with bucket.lock:
            there = bucket.objects.get(key)
            if not key:
                self.reply(200, self._listing())
            elif there is None:
                self.refuse(404, "NoSuchKey")
            else:
                when = format_datetime(there.modified, usegmt=True)
                self.reply(200, there.content, **there.headers, ETag=there.etag, Last_Modified=when)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        bucket, key = self.bucket, self._key()
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if bucket.before(self, key):
            return
        with bucket.lock:
            there = bucket.objects.get(key)
            wanted = self.headers.get("If-Match")
            is_new = self.headers.get("If-None-Match") == "*" or self.headers.get("x-goog-if-generation-match") == "0"
            if is_new and there is not None:
                self.refuse(412, "PreconditionFailed")
            elif wanted is not None and there is None:
                self.refuse(404, "NoSuchKey")
            elif wanted is not None and there is not None and wanted.strip('"') != there.etag.strip('"'):
                self.refuse(412, "PreconditionFailed")
            else:
                kept = {name: text for name, text in self.headers.items() if name.lower() in _KEPT or "meta" in name}
                bucket.objects[key] = Object(content, kept)
                self.reply(200, b"", ETag=bucket.objects[key].etag)

    def do_DELETE(self) -> None:
        key = self._key()
        if not self.bucket.before(self, key):
            self.bucket.objects.pop(key, None)
            self.reply(204, b"")

    def reply(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status: int, code: str) -> None:
        self.reply(status, f"<Error><Code>{code}</Code></Error>".encode())

    def log_message(self, *arguments: object) -> None:
        pass

    def _key(self) -> str:
        path = unquote(urlsplit(self.path).path).removeprefix(f"/{self.bucket.name}").removeprefix("/")
        self.bucket.asked.append((self.command, path))
        return path

    def _listing(self) -> bytes:
        if "comp=list" in self.path:
            return self._listing_of_azure()
        query = parse_qs(urlsplit(self.path).query)
        prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
        contents, folders = [], dict[str, None]()
        for key, each in sorted(self.bucket.objects.items()):
            if not key.startswith(prefix):
                continue
            rest = key[len(prefix) :]
            if delimiter and delimiter in rest:
                folders[prefix + rest.partition(delimiter)[0] + delimiter] = None
                continue
            when = each.modified.strftime("%Y-%m-%dT%H:%M:%S.000Z")
            contents.append(
                f"<Contents><Key>{escape(key)}</Key><LastModified>{when}</LastModified>"
                f"<ETag>{escape(each.etag)}</ETag><Size>{len(each.content)}</Size></Contents>"
            )
        common = "".join(f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>" for folder in folders)
        return (
            f"<ListBucketResult><IsTruncated>false</IsTruncated>{''.join(contents)}{common}</ListBucketResult>"
        ).encode()

    def _listing_of_azure(self) -> bytes:
        blobs = "".join(_azure(key, each) for key, each in sorted(self.bucket.objects.items()))
        return f"<EnumerationResults><Blobs>{blobs}</Blobs><NextMarker/></EnumerationResults>".encode()


def _azure(key: str, there: Object) -> str:
    when = format_datetime(there.modified, usegmt=True)
    properties = f"<Last-Modified>{when}</Last-Modified><Content-Length>{len(there.content)}</Content-Length>"
    return (
        f"<Blob><Name>{escape(key)}</Name><Properties>{properties}<Content-Type>image/jpeg</Content-Type>"
        f"<Etag>{escape(there.etag)}</Etag></Properties></Blob>"
    )


_KEPT = ("content-type", "cache-control", "content-disposition")


@contextmanager
def serving() -> Generator[Bucket]:
    """A bucket for the time of a block."""
    bucket = Bucket()
    try:
        yield bucket
    finally:
        bucket.close()
