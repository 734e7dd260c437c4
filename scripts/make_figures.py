#!/usr/bin/env python3
"""Makes the pictures of README and docs/: `.venv/bin/python scripts/make_figures.py [strip] [terminal] [report]`.

- `docs/strip.jpg`: pictures of `sample_data/` as a plain loop shows them, and as `pipeline` makes them.
- `docs/terminal.svg`: the screen of real commands, run in a terminal of their own, with a run at work at its end.
- `docs/report.jpg`: the page of `pipeline report`, in a headless Chromium.

Look at what comes before you commit it.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import io
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
COLUMNS, LINES = 112, 24
STRIP = {
    "orientation/cabin 6.jpg": "upright",
    "kitchen/citrus, CMYK.jpg": "CMYK by its profile",
    "garden/gerbera, Display P3.jpg": "Display P3 to sRGB",
    "made/moon ground, 16 bit.png": "16 bits to 8",
    "made/bubbles, alpha.png": "alpha over white",
}
CELL, GAP, LABEL = 196, 8, 30  # pixels
SESSION = ("pipeline init", "pipeline plan --summary", "pipeline run", "pipeline verify", "pipeline run --force")
ENOUGH = re.compile(rb" [4-8]\d%")  # the last command is shown when its bar says so
_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<title>pipeline in a terminal</title>
<style>
text {{ font: {char_height}px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; white-space: pre }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect width="100%" height="100%"/></clipPath>{lines}</defs>
<rect width="100%" height="100%" rx="9" fill="#1b1b1f"/>
<g><circle cx="20" cy="20" r="6" fill="#ff5f57"/><circle cx="40" cy="20" r="6" fill="#febc2e"/>
<circle cx="60" cy="20" r="6" fill="#28c840"/></g>
<g transform="translate({terminal_x}, {terminal_y})">{backgrounds}
{matrix}</g>
</svg>
"""


def strip(to: Path) -> None:
    """Two rows: the pixels of each file as they are decoded, and what `pipeline` makes of it."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        (made / "strip.yaml").write_text(
            f"source: {{path: {ROOT / 'sample_data'}, include: [{', '.join(map(repr, STRIP))}]}}\ntarget: out\n"
            f"renditions: {{x: {{width: {CELL}, height: {CELL}, fit: cover, quality: 95}}}}\n"
        )
        subprocess.run([sys.executable, "-m", "pipeline", "run", made / "strip.yaml"], cwd=ROOT, check=True)
        side = CELL + GAP
        sheet = Image.new("RGB", (len(STRIP) * side - GAP, 2 * side + LABEL - GAP), "white")
        draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
        for column, (name, label) in enumerate(STRIP.items()):
            with Image.open(ROOT / "sample_data" / name) as picture:
                sheet.paste(ImageOps.fit(picture.convert("RGB"), (CELL, CELL)), (column * side, 0))
            stem = name.rpartition(".")[0]
            with Image.open(made / "out" / f"{stem}-x.jpg") as result:
                sheet.paste(result, (column * side, side))
            draw.text((column * side + CELL / 2, 2 * side), label, "black", font, "ma")
        sheet.save(to, quality=88, optimize=True)


def terminal(to: Path) -> None:
    """What the commands of `SESSION` leave on a terminal of `COLUMNS` x `LINES`."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "sample_data", Path(folder) / "photos")
        program = Path(folder) / "bin" / "pipeline"
        program.parent.mkdir()
        program.write_text(f"#!{sys.executable}\nfrom pipeline.cli.main import main\nmain()\n")
        program.chmod(0o755)
        screen = Text()
        for command in SESSION:
            *lines, last = _shown(command, Path(folder), stop=command == SESSION[-1]).split("\r\n")
            screen.append_text(Text("$ ", "bold green")).append(command + "\n")
            for line in (*lines, *([last] if command == SESSION[-1] else ())):
                screen.append_text(Text.from_ansi(line)).append("\n")
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(screen, end="", soft_wrap=False)
    to.write_text(console.export_svg(title="", code_format=_SVG, unique_id="t"), encoding="utf-8")


def _shown(command: str, folder: Path, *, stop: bool) -> str:
    """What the command writes to its terminal; with `stop`, up to where its bar is `ENOUGH`."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        path = f"{folder / 'bin'}:{os.environ['PATH']}"
        os.execve(
            "/bin/sh",
            ["sh", "-c", f"exec {command}"],
            {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT), "PATH": path},
        )
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    written = b""
    with contextlib.suppress(OSError):  # the end of the terminal's other side
        while select.select([terminal], [], [], 60)[0] and (part := os.read(terminal, 65_536)):
            written += part
            if stop and ENOUGH.search(written.rpartition(b"\r")[2]):
                break
    os.close(terminal)
    os.waitpid(child, 0)
    return written.decode("utf-8", "replace")


def report(to: Path) -> None:
    """The upper part of the report of `configs/thumbs.yaml` in a light window."""
    from tests.browser import CHROMIUM  # noqa: PLC0415 - Chromium is for this picture alone

    if CHROMIUM is None:
        raise SystemExit("needs chromium")
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        shutil.copytree(ROOT / "sample_data", here / "photos")
        for words in ("init", "run", "report --output page.html"):
            command = [sys.executable, "-m", "pipeline", *words.split()]
            subprocess.run(command, cwd=here, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)
        page = here / "page.html"
        page.write_text(page.read_text(encoding="utf-8").replace(folder, "/home/ada"), encoding="utf-8")
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1100,890"]
        shot = here / "page.png"
        command = [CHROMIUM, *flags, "--virtual-time-budget=9000", f"--screenshot={shot}", page.as_uri()]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        with Image.open(shot) as picture:
            picture.convert("RGB").save(to, quality=85, optimize=True)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made = {"strip": (strip, "strip.jpg"), "terminal": (terminal, "terminal.svg"), "report": (report, "report.jpg")}
    parser.add_argument("names", nargs="*", choices=[[], *made], metavar="strip|terminal|report", help="default: all")
    for name in parser.parse_args().names or made:
        make, file = made[name]
        make(DOCS / file)
        print(DOCS / file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
