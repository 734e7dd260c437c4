"""A real S3 server on loopback: rclone's, whose buckets are the folders of a temporary folder."""

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

import pytest

KEY, SECRET = "KEY", "SECRET"
ENV = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
_RCLONE = Path(sys.executable).with_name("rclone")


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

    def bucket(self) -> Path:
        """A new, empty bucket: its files are its objects."""
        path = self.root / f"bucket{next(self.numbers)}"
        path.mkdir()
        return path

    def start(self) -> None:
        words = ["serve", "s3", "--addr", f"127.0.0.1:{self.port}", "--auth-key", f"{KEY},{SECRET}"]
        words += ["--config", "/dev/null", "--vfs-cache-mode", "off", "--dir-cache-time", "0s", str(self.root)]
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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        service = Service(root, free.getsockname()[1])
    service.start()
    try:
        yield service
    finally:
        service.stop()
        shutil.rmtree(root, ignore_errors=True)
