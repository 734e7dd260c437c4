from __future__ import annotations

import errno
import os
import re
import sys
import threading
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

from pipeline import extras

ROOT = Path(__file__).parent.parent


def test_the_packages_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {
        extra: tuple(re.split("[><=]", package)[0] for package in packages)
        for extra, packages in project["optional-dependencies"].items()
    }
    assert named == {name: packages for name, packages in extras.PACKAGES.items() if name not in extras.FROM_THE_START}
    always = {re.split("[><=]", package)[0] for package in project["dependencies"]}
    assert always >= {package for packages in extras.FROM_THE_START.values() for package in packages}


def test_the_scripts_know_the_extras_that_are_named() -> None:
    locked = {path.stem for path in (ROOT / "scripts" / "requirements").glob("*.txt")}
    assert set(extras.WITH) == locked - {"build", "run", "dev", "release"}
    offered = " ".join(extras.WITH)
    assert f'\nenvironment_offered="{offered}"\n' in (ROOT / "scripts" / "environment.sh").read_text()


@pytest.mark.parametrize("extra", extras.PACKAGES)
def test_the_command_is_one_that_is_there(extra: str) -> None:
    installed = extras.how_to_have(extra, is_checkout=False, has_pip=True)
    assert installed == f"to have it: {sys.executable} -m pip install {' '.join(extras.PACKAGES[extra])}"
    said = extras.how_to_have(extra, is_checkout=True, has_pip=True)
    if extra in extras.WITH:
        script = ROOT / "scripts" / "pipeline"
        assert said == f"to have it: {script} --with {extra} --version"
        assert os.access(script, os.X_OK)
    else:
        assert said == installed


def test_an_environment_without_pip_is_told_of_uv() -> None:
    said = extras.how_to_have("libvips", is_checkout=False, has_pip=False)
    assert said == f"to have it: uv pip install -p {sys.executable} pyvips pyvips-binary"


def test_a_thread_that_waits_for_an_import_that_fails_does_not_get_half_a_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_a_module.py").write_text(
        "import builtins\n"
        "builtins.imports_of_half_a_module.append(None)\n"
        "builtins.import_goes_on()\n"
        "if len(builtins.imports_of_half_a_module) == 1:\n"
        "    raise ImportError('the first time')\n"
        "whole = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    entered, waits = threading.Event(), threading.Event()

    def goes_on() -> None:
        entered.set()
        assert waits.wait(60)

    def late() -> ModuleType:
        waits.set()
        return extras.load("half_a_module")

    monkeypatch.setattr("builtins.imports_of_half_a_module", [], raising=False)
    monkeypatch.setattr("builtins.import_goes_on", goes_on, raising=False)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(extras.load, "half_a_module")
        assert entered.wait(60)
        second = threads.submit(late)
        with pytest.raises(ImportError, match="the first time"):
            first.result(60)
        assert second.result(60).whole


@pytest.mark.parametrize("error", [ImportError, OSError])
def test_a_library_that_lacks_descriptors_is_not_one_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    (tmp_path / f"lacks_{error.__name__}.py").write_text(
        f"raise {error.__name__}('libvips.so.42: cannot open shared object file: Too many open files')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(OSError, match="Too many open files") as caught:
        extras.load(f"lacks_{error.__name__}")
    assert caught.value.errno == errno.EMFILE
