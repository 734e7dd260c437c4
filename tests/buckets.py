"""A real S3 server on loopback: rclone's, whose buckets are the folders of a temporary folder.

It keeps what it knows of a folder for five minutes, so all buckets are there from the start, and objects are put and
removed through it. (Told to forget at once, it takes seconds for a put into a folder whose last object was removed.) It
ignores conditions of puts; see `fakes3`.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import obstore
import pytest
from obstore.store import S3Store

KEY, SECRET = "KEY", "SECRET"
ENV = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
_BUCKETS = 100  # more than tests ask for
_RCLONE = Path(sys.executable).with_name("rclone")


class Bucket:
    """A bucket of the server."""

    def __init__(self, path: Path, endpoint: str) -> None:
        self.name = path.name
        self.endpoint = endpoint
        self._path = path
        self._store = S3Store(
            self.name,
            endpoint=endpoint,
            access_key_id=KEY,
            secret_access_key=SECRET,
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
        )

    def put(self, name: str, content: bytes) -> None:
        obstore.put(self._store, name, content)

    def remove(self, name: str) -> None:
        obstore.delete(self._store, name)

    def names(self) -> list[str]:
        return sorted(meta["path"] for metas in obstore.list(self._store) for meta in metas)

    def tree(self) -> dict[str, bytes]:
        """The content of every object but the program's own, by name."""
        return {name: (self._path / name).read_bytes() for name in self.names() if ".pipeline/" not in name}


@dataclass
class Service:
    """The server. It can be stopped and started again, on the same port with the same buckets."""

    root: Path
    port: int
    numbers: itertools.count[int] = field(default_factory=itertools.count)
    process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def bucket(self) -> Bucket:
        """An empty bucket that no other test has."""
        return Bucket(self.root / f"bucket{next(self.numbers)}", self.endpoint)

    def start(self) -> None:
        words = ["serve", "s3", "--addr", f"127.0.0.1:{self.port}", "--auth-key", f"{KEY},{SECRET}"]
        words += ["--config", "/dev/null", "--vfs-cache-mode", "off", str(self.root)]
        self.process = subprocess.Popen([_RCLONE, *words], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.01)
        raise RuntimeError("rclone does not listen")

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


@contextmanager
def serving() -> Generator[Service]:
    """The server for the time of a block."""
    if not _RCLONE.exists():
        pytest.skip("needs rclone")
    root = Path(tempfile.mkdtemp(prefix="pipeline-s3-"))
    for number in range(_BUCKETS):
        (root / f"bucket{number}").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        service = Service(root, free.getsockname()[1])
    service.start()
    try:
        yield service
    finally:
        service.stop()
        shutil.rmtree(root, ignore_errors=True)
