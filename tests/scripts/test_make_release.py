"""What is no release is told before anything is built; what is built works where nothing else is."""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from scripts import make_release
from scripts.make_release import ROOT, NotReady, main, obstacles, version_of


def git(root: Path, *words: str) -> None:
    subprocess.run(
        ["git", "-C", root, "-c", "user.name=A", "-c", "user.email=a@example.org", *words],
        check=True,
        capture_output=True,
    )


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """A repository with a commit that is a release."""
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline/__init__.py").write_text('"""Ours."""\n\n__version__ = "1.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 1.2.0 (2026-05-01)\n\n- It.\n\n## 1.1.0 (2026-01-01)\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "1.2.0")
    return tmp_path


def test_a_clean_commit_with_a_dated_heading_is_a_release_before_and_after_its_tag(ready: Path) -> None:
    assert obstacles(ready, version_of(ready)) == []
    git(ready, "tag", "-am", "1.2.0", "v1.2.0")
    assert obstacles(ready, version_of(ready)) == []


def test_everything_that_is_in_the_way_is_told_at_once(ready: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(ready, "tag", "v1.2.0")
    (ready / "CHANGELOG.md").write_text("# Changelog\n\n## 1.2.0 (unreleased)\n")
    git(ready, "commit", "-qam", "more")
    (ready / "left over").touch()
    assert main([], ready) == 1
    assert [line.removeprefix("no release: ") for line in capsys.readouterr().err.splitlines()] == [
        'not everything is committed: 1 files, such as "left over"',
        "CHANGELOG.md begins with '1.2.0 (unreleased)', not with '1.2.0 (2026-01-31)', the day of the release",
        "the tag v1.2.0 is on another commit: raise __version__ in pipeline/__init__.py",
    ]
    assert not (ready / "dist").exists()


def test_without_git_or_a_repository_it_is_no_release_in_a_line(
    ready: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(ready / ".git")
    assert main([], ready) == 1
    assert re.fullmatch(r"no release: .*: fatal: not a git repository.*\n", capsys.readouterr().err)
    monkeypatch.setenv("PATH", str(ready))
    assert main([], ready) == 1
    assert capsys.readouterr().err == "no release: git is not installed, which knows what is committed and tagged\n"


def test_what_is_to_be_typed_is_quoted(
    ready: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = ready / "my dist" / "it.whl"
    wheel.parent.mkdir()
    wheel.touch()
    monkeypatch.setattr(make_release, "obstacles", lambda root, version: [])
    monkeypatch.setattr(make_release, "release", lambda root, output, version: [wheel])
    assert main(["--output", str(ready / "other")], ready) == 0
    assert f"twine upload '{wheel}'" in capsys.readouterr().out


def test_a_changelog_of_another_version_is_no_release(ready: Path) -> None:
    (obstacle,) = obstacles(ready, "1.3.0")
    assert "begins with '1.2.0 (2026-05-01)', not with '1.3.0" in obstacle


def test_a_version_is_one_of_semantic_versioning(ready: Path) -> None:
    (ready / "pipeline/__init__.py").write_text('__version__ = "next"\n')
    with pytest.raises(NotReady):
        version_of(ready)


def test_a_folder_with_anything_but_artefacts_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").touch()
    (tmp_path / "image_pipeline-1.0.0.tar.gz").touch()
    with pytest.raises(NotReady, match=r"there is more than wheels and sdists in it, such as letters\.txt"):
        make_release.emptied(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    (tmp_path / "letters.txt").unlink()
    assert list(make_release.emptied(tmp_path).iterdir()) == []
    assert make_release.emptied(tmp_path / "dist").is_dir()


@pytest.mark.slow
def test_a_wheel_works_where_nothing_else_of_ours_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    python = make_release.environment(ROOT, tmp_path / "environment", ["release"])
    (site,) = (tmp_path / "environment/lib").glob("python3.*/site-packages")
    (site / "those of the tests.pth").write_text(sysconfig.get_path("purelib"))  # instead of installing them once more
    version = version_of(ROOT)
    sdist, wheel = make_release.built(ROOT, python, make_release.emptied(tmp_path / "dist"))
    assert (wheel.suffix, sdist.name) == (".whl", f"image_pipeline-{version}.tar.gz")
    make_release.tried(wheel, python, version, ROOT / "sample_data")
    assert "pipeline verify -v" in capsys.readouterr().out
