"""The peers: which of them this machine has, and how to get the others."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_SHARP = "node_modules/sharp/package.json"


@dataclass(frozen=True, slots=True)
class Peers:
    """Paths of the peers that are installed; None where one is not. Versions by name, for the report."""

    vipsthumbnail: str | None
    imagemagick: tuple[str, ...] | None  # the command that turns one picture into another
    node: str | None
    sharp: Path | None  # the folder whose node_modules holds it
    versions: dict[str, str]


def find(cache: Path) -> Peers:
    """What is installed now; `cache` is where `install` puts sharp."""
    versions: dict[str, str] = {}
    vips, node = shutil.which("vipsthumbnail"), shutil.which("node")
    if vips:
        versions["vipsthumbnail"] = _first_line(vips, "--vips-version")
    sharp = cache / "peers" if node and (cache / "peers" / _SHARP).is_file() else None
    if sharp and node:
        versions["node"] = _first_line(node, "--version")
        versions["sharp"] = str(json.loads((sharp / _SHARP).read_text())["version"])
    imagemagick = _imagemagick()
    if imagemagick:
        versions["imagemagick"] = _first_line(*imagemagick, "-version")
    return Peers(vips, imagemagick, node, sharp, versions)


def install(cache: Path) -> None:
    """Get the peers by package name: apt for libvips and ImageMagick (needs root), npm for sharp. Raises OSError,
    CalledProcessError.
    """
    apt = ["apt-get", "-q", "-y", "--no-install-recommends"]
    packages = ["libvips-tools", "imagemagick", *([] if shutil.which("npm") else ["nodejs", "npm"])]
    subprocess.run(["apt-get", "-q", "update"], check=True)
    subprocess.run([*apt, "install", *packages], check=True)
    folder = cache / "peers"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true}\n')
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "sharp"], check=True, cwd=folder)


def _imagemagick() -> tuple[str, ...] | None:
    """Its command, told from other programs of that name by what it says of itself."""
    for name in ("magick", "convert", "convert-im6.q16", "/usr/bin/convert"):
        path = shutil.which(name)
        if path and "ImageMagick" in _first_line(path, "-version"):
            return (path,)
    return None


def _first_line(*command: str) -> str:
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return said.strip().partition("\n")[0]
