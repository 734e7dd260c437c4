"""Builds what is uploaded for a release, and tries it: `scripts/release`. It uploads nothing.

A release is a commit without anything beside it, whose version has a dated heading in CHANGELOG.md and no tag on
another commit. Wheel and sdist are built, each is installed beside the versions of `scripts/requirements` and nothing
else, and does there what README.md shows first.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSION = re.compile(r"^__version__ = \"(\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?)\"$", re.MULTILINE)
HEADING = re.compile(r"^## (\S+) \((.*)\)$", re.MULTILINE)
_LOOK = "import pipeline; from pipeline import load_config, run; print(pipeline.__version__, pipeline.__file__)"


class NotReady(Exception):
    """Something that a release must not have, in one line."""


def version_of(root: Path) -> str:
    """The version that the package says it has. Raises `NotReady` where it is none of semantic versioning."""
    match = VERSION.search((root / "pipeline/__init__.py").read_text(encoding="utf-8"))
    if match is None:
        raise NotReady("pipeline/__init__.py has no __version__ such as 1.2.3 or 1.2.3rc1")
    return match[1]


def obstacles(root: Path, version: str) -> list[str]:
    """Why the commit that `root` is at is no release, a line each."""
    wrong = []
    no_git = _no_git(root)
    if no_git:
        wrong.append(no_git)
    elif changed := _git(root, "status", "--porcelain").splitlines():
        wrong.append(f"not everything is committed: {len(changed)} files, such as {changed[0][3:]}")
    heading = HEADING.search((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    if heading is None or heading[1] != version or not re.fullmatch(r"\d{4}-\d\d-\d\d", heading[2]):
        first = f"'{heading[1]} ({heading[2]})'" if heading else "no heading"
        wrong.append(f"CHANGELOG.md begins with {first}, not with '{version} (2026-01-31)', the day of the release")
    if no_git:
        return wrong
    tagged = _git(root, "rev-parse", "--verify", "--quiet", f"refs/tags/v{version}^{{commit}}", missing=True)
    if tagged and tagged != _git(root, "rev-parse", "HEAD"):
        wrong.append(f"the tag v{version} is on another commit: raise __version__ in pipeline/__init__.py")
    return wrong


def _no_git(root: Path) -> str:
    """Why nothing is known of commits here; "" where git can tell."""
    try:
        done = subprocess.run(
            ["git", "-C", root, "rev-parse", "--verify", "HEAD"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return "git is not installed, which knows what is committed and tagged"
    return f"{root}: {' '.join(done.stderr.split())}" if done.returncode else ""


def _git(root: Path, *words: str, missing: bool = False) -> str:
    done = subprocess.run(["git", "-C", root, *words], capture_output=True, text=True, check=not missing)
    return done.stdout.rstrip("\n")


def emptied(output: Path) -> Path:
    """`output` as an absolute folder, without the wheels and sdists in it. Raises `NotReady` where anything else is."""
    output = output.absolute()
    if output.exists() and not output.is_dir():
        raise NotReady(f"{output} is no folder")
    output.mkdir(parents=True, exist_ok=True)
    before = sorted(output.iterdir())
    others = [path.name for path in before if not path.name.endswith((".whl", ".tar.gz"))]
    if others:
        raise NotReady(f"{output} is not emptied: there is more than wheels and sdists in it, such as {others[0]}")
    for path in before:
        path.unlink()
    return output


def built(root: Path, python: Path, output: Path) -> list[Path]:
    """Wheel and sdist of `root`, built by the environment of `python` into the empty folder `output`."""
    _run([python, "-I", "-m", "hatchling", "build", "-d", output], cwd=root)
    return sorted(output.iterdir(), reverse=True)


def environment(root: Path, folder: Path, names: Sequence[str], before: Path | None = None) -> Path:
    """The python of a new environment with the locked versions of these files, and what the one `before` has."""
    if before is None:
        _run([sys.executable, "-I", "-m", "venv", folder])
    else:
        shutil.copytree(before.parent.parent, folder, symlinks=True)
    python = folder / "bin/python"
    for name in names:
        locked = root / "scripts/requirements" / f"{name}.txt"
        options = ("--require-hashes", "--no-deps", "--no-build-isolation", "-r")
        _pip(python, "install", *options, locked, environment={"PKG_CONFIG": "false"})  # see environment.sh
    return python


def tried(artefact: Path, python: Path, version: str, pictures: Path) -> None:
    """Install `artefact` without an index and have it render `pictures` in a folder of its own.

    Raises `subprocess.CalledProcessError`, and `NotReady` where something else came of it.
    """
    _pip(python, "install", "--no-index", "--no-deps", "--no-build-isolation", artefact)
    _pip(python, "check")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(pictures, folder / "photos")
        command = python.parent / "pipeline"
        said, file = _run([python, "-I", "-c", _LOOK], cwd=folder).split(maxsplit=1)
        inside = Path(file.strip()).is_relative_to(python.parent.parent)
        if said != version or not inside or not (Path(file.strip()).parent / "py.typed").exists():
            raise NotReady(f"{artefact.name}: {file.strip()} is version {said}, or has no py.typed, or is another one")
        for words in (["init"], ["run", "-v"], ["plan", "--check"], ["verify", "-v"], ["report"], ["schema"]):
            print(f"  pipeline {' '.join(words)}")
            _run([command, *words], cwd=folder)
        made = [path for path in (folder / "thumbs").rglob("*.jpg") if path.is_file()]
        there = [path for path in (folder / "photos").rglob("*") if path.is_file()]
        if len(made) != len(there):
            raise NotReady(f"{artefact.name}: {len(made)} thumbnails of {len(there)} pictures")


def _pip(python: Path, *words: str | Path, environment: Mapping[str, str] | None = None) -> None:
    command = [python, "-I", "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", *words]
    _run(command, environment=environment)


def _run(words: Sequence[str | Path], cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """The standard output. What went to standard error is shown where the program failed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        words, cwd=cwd, env=clean | dict(environment or {}), capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(done.stdout + done.stderr, file=sys.stderr)
    done.check_returncode()
    return done.stdout


def release(root: Path, output: Path, version: str) -> list[Path]:
    """Build into `output`, try both, and return them. Raises as `tried` does."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("making a clean environment", flush=True)
        plain = environment(root, folder / "plain", ["build", "run"])
        builder = environment(root, folder / "builder", ["release"], before=plain)
        artefacts = built(root, builder, output)
        for artefact in artefacts:
            print(f"trying {artefact.name}", flush=True)
            python = plain if artefact.suffix == ".whl" else builder  # an sdist is built where it is installed
            tried(artefact, python, version, root / "sample_data")
    return artefacts


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """The status: 0 for a release, 1 for what is none."""
    parser = argparse.ArgumentParser(prog="scripts/release", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--try", dest="trying", action="store_true", help="also where this is no release yet")
    parser.add_argument("--output", type=Path, default=root / "dist", help="the folder, where older ones are removed")
    chosen = parser.parse_args(arguments)
    try:
        version = version_of(root)
        wrong = obstacles(root, version)
        for line in wrong:
            print(f"no release: {line}", file=sys.stderr)
        if wrong and not chosen.trying:
            return 1
        artefacts = release(root, emptied(chosen.output), version)
    except (NotReady, subprocess.CalledProcessError) as error:
        print(f"no release: {error}", file=sys.stderr)
        return 1
    for artefact in artefacts:
        print(f"{hashlib.sha256(artefact.read_bytes()).hexdigest()}  {artefact} ({artefact.stat().st_size:,} bytes)")
    if wrong:
        return 1
    print(f"to release {version}:")
    print(f"  git tag -s v{version} -m {version} && git push origin v{version}")
    print(f"  twine upload {shlex.join(map(str, artefacts))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
