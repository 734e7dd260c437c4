from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from pipeline.errors import ExitStatus
from pipeline.notify.outcome import Outcome

RUN = "0123456789abcdef0123456789abcdef"
RID = "01234567-89ab-cdef-0123-456789abcdef"

GOOD = Outcome(
    config="/srv/photos/thumbs.yaml",
    name="thumbs",
    run=RUN,
    status=ExitStatus.OK,
    started=1_700_000_000.0,
    ended=1_700_000_012.5,
    sentence="thumbs: 3 pictures done (3 renditions) in 12 s",
    pictures={"done": 3, "unchanged": 7},
    renditions={"done": 3},
    source_bytes=3000,
    target_bytes=300,
    last_success=1_700_000_012.5,
)
BAD = Outcome(
    config="/srv/photos/thumbs.yaml",
    name="thumbs",
    run=RUN,
    status=ExitStatus.FAILED,
    started=1_700_000_000.0,
    ended=1_700_000_012.5,
    sentence="thumbs: 2 pictures done (2 renditions), 1 failed in 12 s",
    failures=("a.jpg: truncated: 12 bytes missing",),
    pictures={"done": 2, "failed": 1},
    errors={"truncated": 1},
    orphans=4,
    last_success=1_699_000_000.0,
)


@dataclass
class Service:
    """A web server that remembers what it is asked and answers as it is told."""

    url: str = ""
    answers: list[int] = field(default_factory=list)  # 200 when they are used up
    asked: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, body
    location: str = ""
    hold: threading.Event = field(default_factory=threading.Event)  # no answer before it is set

    def __post_init__(self) -> None:
        self.hold.set()


@pytest.fixture
def service() -> Iterator[Service]:
    here = Service()

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            here.asked.append((self.command, self.path, body))
            here.hold.wait(60)
            self.send_response(here.answers.pop(0) if here.answers else 200)
            if here.location:
                self.send_header("Location", here.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - http.server's

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.daemon_threads = True
    thread = threading.Thread(target=lambda: server.serve_forever(0.02))
    thread.start()
    here.url = f"http://127.0.0.1:{server.server_address[1]}/s3cret"
    yield here
    here.hold.set()
    server.shutdown()
    server.server_close()
    thread.join()
