from __future__ import annotations

import os
import re
import sys
import tomllib
from pathlib import Path

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
