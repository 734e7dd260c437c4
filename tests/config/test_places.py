"""Where a manifest may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.load import load
from pipeline.config.places import web_root
from pipeline.errors import ConfigError

TEXT = "source: photos\ntarget: made\nrenditions: {a: {width: 9}}\n"


def written(folder: Path, more: str) -> Path:
    path = folder / "it.yaml"
    path.write_text(TEXT + more)
    return path


@pytest.mark.parametrize("key", ["manifest", "lock"])
@pytest.mark.parametrize("place", ["m.sqlite", ".pipeline/m.sqlite", "deep/down/m.sqlite"])
def test_it_is_not_inside_the_target_of_another_config(tmp_path: Path, key: str, place: str) -> None:
    (tmp_path / "other/.pipeline").mkdir(parents=True)
    (tmp_path / "other/.pipeline/manifest.sqlite").touch()
    path = written(tmp_path, f"{key}: other/{place}\n")
    with pytest.raises(
        ConfigError, match=f"{key}: must not be inside {tmp_path}/other, which is the target of another"
    ):
        load(path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["it.yaml", "other"]


@pytest.mark.parametrize("place", ["made/.pipeline/other.sqlite", "made/m.sqlite", "m.sqlite", "not/there/m.sqlite"])
def test_it_may_be_in_the_own_target_and_in_any_other_folder(tmp_path: Path, place: str) -> None:
    (tmp_path / "made/.pipeline").mkdir(parents=True)
    (tmp_path / "made/.pipeline/manifest.sqlite").touch()
    assert load(written(tmp_path, f"manifest: {place}\n")).manifest == tmp_path / place
    config = load(written(tmp_path, f"lock: {place}\n"))
    assert (config.lock, config.manifest) == (tmp_path / place, tmp_path / "made/.pipeline/manifest.sqlite")


@pytest.mark.parametrize("key", ["manifest", "lock"])
def test_it_is_not_the_config_itself(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError, match=f"{key}: must be a file of its own"):
        load(written(tmp_path, f"{key}: it.yaml\n"))


@pytest.mark.parametrize("name", ["public", "Static", "_site", "htdocs", "www"])
def test_a_folder_is_published_by_its_name_and_all_below_it(tmp_path: Path, name: str) -> None:
    assert web_root(tmp_path / name / "img/holiday") == tmp_path / name
    assert web_root(tmp_path / f"{name}-of-mine" / "img") is None


def test_a_folder_with_a_first_page_is_published(tmp_path: Path) -> None:
    (tmp_path / "site/index.html").mkdir(parents=True)
    assert web_root(tmp_path / "site/img") is None, "a folder is no page"
    (tmp_path / "site/index.htm").touch()
    assert web_root(tmp_path / "site/img") == tmp_path / "site"


def test_a_target_that_a_link_leads_into_a_web_root_is_published(tmp_path: Path) -> None:
    (tmp_path / "public/img").mkdir(parents=True)
    (tmp_path / "made").symlink_to("public/img")
    assert web_root(tmp_path / "made") == tmp_path / "public"
