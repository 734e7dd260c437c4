"""A small world for tests of whole runs: a folder of generated pictures, a config, and ways to run it."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from contextlib import chdir, nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from PIL import Image

from pipeline.cli.main import status_of
from pipeline.config.load import load
from pipeline.config.settings import Config
from pipeline.manifest.export import rows
from pipeline.manifest.srcset import pictures
from pipeline.manifest.store import Manifest
from pipeline.plan.rules import families_of
from pipeline.run.options import RunOptions
from pipeline.run.run import run
from pipeline.run.tally import Summary

LONG_AGO = 1_600_000_000  # seconds since 1970


def jpeg(color: tuple[int, int, int] = (200, 80, 40), size: tuple[int, int] = (64, 48), quality: int = 90) -> bytes:
    """A JPEG of one colour with a darker square in its upper left corner."""
    picture = Image.new("RGB", size, color)
    picture.paste(tuple(part // 2 for part in color), (0, 0, size[0] // 2, size[1] // 2))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


class _Output(io.TextIOWrapper):
    """A standard stream, as a process has it in the locale of the tests."""

    def __init__(self, errors: str) -> None:
        self._bytes = io.BytesIO()
        super().__init__(self._bytes, "utf-8", errors, write_through=True)

    def text(self) -> str:
        return self._bytes.getvalue().decode()


@dataclass
class World:
    """Files below `root`: the source in `photos`, the target in `out`, the config beside them."""

    root: Path
    text: str = "source: photos\ntarget: out\nrenditions:\n  thumb: {width: 32, height: 32}\n"
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.source.mkdir()
        self.configure(self.text)

    @property
    def source(self) -> Path:
        return self.root / "photos"

    @property
    def target(self) -> Path:
        return self.root / "out"

    @property
    def config_path(self) -> Path:
        return self.root / "thumbs.yaml"

    @property
    def config(self) -> Config:
        return load(self.config_path)

    def configure(self, text: str) -> None:
        """Write the config."""
        self.text = text
        self.config_path.write_text(text)

    def put(self, name: str, content: bytes | None = None) -> Path:
        """Write a source; a picture whose colour comes from its name, unless told otherwise."""
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shade = hashlib.sha256(os.fsencode(name)).digest()
        path.write_bytes(jpeg((shade[0], shade[1], shade[2])) if content is None else content)
        return path

    def fill(self, count: int = 6) -> None:
        """Put `count` pictures in three folders, and let them settle."""
        for number in range(count):
            self.put(f"{'abc'[number % 3]}/{number:03}.jpg")
        self.settle()

    def settle(self) -> None:
        """Make every source old enough to be trusted by its stat. A ctime cannot be set, so the program's clock is."""
        for folder, _folders, names in os.walk(self.source):
            for name in names:
                os.utime(os.path.join(folder, name), (LONG_AGO, LONG_AGO), follow_symlinks=False)

    def run(self, **options: object) -> Summary:
        """Run in this process; `threads`, `processes` and the fields of `RunOptions`."""
        chosen: dict[str, object] = {"threads": 2, "processes": 0, **options}
        return run(self.config, RunOptions(**chosen), lambda progress: None)  # type: ignore[arg-type]

    def command(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run the command line in this process, which takes a third of a second less than one of its own; what a run
        renders, too, unless `arguments` or the config say how many children there are.
        """
        words = [*arguments]
        if words[:1] == ["run"] and "--processes" not in words and "processes:" not in self.text:
            words[1:1] = ["--processes", "0"]
        out, errors = _Output("surrogateescape"), _Output("backslashreplace")
        with (
            mock.patch.dict(os.environ, self.env),
            mock.patch.object(sys, "argv", ["pipeline", *words]),
            redirect_stdout(out),
            redirect_stderr(errors),
            nullcontext() if cwd is None else chdir(cwd),
        ):
            status = status_of(words)
        return subprocess.CompletedProcess(words, status, out.text(), errors.text())

    def process(self, *arguments: str, **kwargs: Any) -> subprocess.CompletedProcess[str]:
        """Run the command line in a process of its own."""
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [sys.executable, "-m", "pipeline", *arguments],
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
            env={**os.environ, **self.env},
            **kwargs,
        )
        return done

    def tree(self) -> dict[str, bytes]:
        """Every file of the target but the program's own, by path."""
        return {
            str(path.relative_to(self.target)): path.read_bytes()
            for path in sorted(self.target.rglob("*"))
            if path.is_file() and ".pipeline" not in path.parts
        }

    def leftovers(self) -> list[Path]:
        """Temporary files in the target."""
        return [path for path in self.target.rglob(".pipeline-*") if path.is_file()]

    def srcset(self) -> dict[str, object]:
        """What the manifest tells web pages."""
        config = self.config
        with Manifest.reader_at(config.manifest) as reader:
            return dict(pictures(reader, families_of(config)))

    def export(self) -> list[dict[str, object]]:
        """The rows of the manifest, without what is measured."""
        with Manifest.reader_at(self.config.manifest) as reader:
            return [dict(row) for row in rows(reader)]
