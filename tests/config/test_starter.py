from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.config.load import load
from pipeline.config.settings import Config, SourceSettings, TargetSettings, WorkerSettings
from pipeline.config.starter import Purpose, starter
from pipeline.errors import UsageError
from pipeline.model.only import Only
from pipeline.model.spec import Limits, Spec

EXAMPLES = Path(__file__).parent.parent.parent / "configs"


def loaded(folder: Path, text: str) -> Config:
    (folder / "it.yaml").write_text(text, encoding="utf-8")
    return load(folder / "it.yaml")


def test_the_starter_loads(tmp_path: Path) -> None:
    config = loaded(tmp_path, starter("photos", "../made"))
    assert (config.sources[0].path, config.target.path) == (tmp_path / "photos", tmp_path.parent / "made")
    assert config.specs == (Spec("thumb", width=320, height=320),)


@pytest.mark.parametrize(
    "folder",
    [
        "my photos",
        "no",
        "010",
        "~",
        '"',
        "\\",
        "a\nb",
        "a: b",
        "a #b",
        "- x",
        "é",
        "\U0001f600",
        "\x7f",
        "\x85",
        "@TARGET@",
    ],
)
def test_any_folder_can_be_named(folder: str, tmp_path: Path) -> None:
    config = loaded(tmp_path, starter("./" + folder, "made"))
    assert config.sources[0].path == tmp_path / folder
    assert config.target.path == tmp_path / "made"


@pytest.mark.parametrize("folder", ["no", "010", "true", "null", ".inf", "1.5", "0x10", ".", "-"])
def test_a_folder_is_text_whatever_it_looks_like(folder: str, tmp_path: Path) -> None:
    assert loaded(tmp_path, starter(folder, "elsewhere/made")).sources[0].path == tmp_path / folder


def test_a_folder_whose_name_is_not_utf8_is_refused() -> None:
    with pytest.raises(UsageError, match="not UTF-8"):
        starter("a\udcff", "made")


def test_what_is_commented_out_shows_the_defaults(tmp_path: Path) -> None:
    text = re.sub(r"(?ms)^source:.*?^# source:", "source:", starter("photos", "made"))
    text = re.sub(r"(?ms)^target:.*?^# target:", "target:", text)
    text = re.sub(r"(?m)^( *)# ( *[a-z_]+:)", r"\1\2", text)
    assert text.count("\n#") == 4, "only the head is still a comment"
    config = loaded(tmp_path, text)
    assert config.sources[0] == SourceSettings(tmp_path / "photos", include=("*.{jpg,png}",), exclude=("drafts/**",))
    assert config.target == TargetSettings(tmp_path / "made")
    assert (config.workers, config.limits) == (WorkerSettings(), Limits())
    assert config.specs == (Spec("thumb", width=320, height=320, quality=82),)


def test_a_data_set_can_be_filtered_and_go_into_tar_shards(tmp_path: Path) -> None:
    text = re.sub(r"(?ms)^source:.*?^# source:", "source:", starter("photos", "made", purpose=Purpose.DATASET))
    text = re.sub(r"(?m)^  name: .*\n|^  on_collision: .*\n", "", text)
    text = re.sub(r"(?m)^( *)# ( *[a-z_]+:)", r"\1\2", text)
    config = loaded(tmp_path, text)
    assert config.sources[0].only == Only(min_width=224, min_height=224, max_aspect=3, formats=("jpeg", "png"))
    assert (config.target.shards, config.target.pictures) == ("webdataset", 10_000)


def test_a_manifest_of_its_own_is_written_where_one_is_asked_for(tmp_path: Path) -> None:
    config = loaded(tmp_path, starter("photos", "www", manifest="no 1.sqlite"))
    assert config.manifest == tmp_path / "no 1.sqlite"
    assert loaded(tmp_path, starter("photos", "www")).manifest == tmp_path / "www/.pipeline/manifest.sqlite"


@pytest.mark.parametrize(
    ("purpose", "example"),
    [
        (Purpose.WEB, "responsive"),
        (Purpose.ARCHIVE, "archive"),
        (Purpose.DATASET, "dataset"),
    ],
)
def test_what_is_started_with_is_what_the_examples_show(tmp_path: Path, purpose: Purpose, example: str) -> None:
    config = loaded(tmp_path, starter("photos", "made", purpose=purpose))
    shown = load(EXAMPLES / f"{example}.yaml")
    by_width = sorted(config.specs, key=lambda spec: spec.name)
    assert by_width == sorted(shown.specs, key=lambda spec: spec.name)
    assert (config.target.name, config.target.on_collision) == (shown.target.name, shown.target.on_collision)
    assert config.limits == shown.limits
    assert text_of_the_first_line(tmp_path) == text_of_the_first_line(EXAMPLES, f"{example}.yaml")


def text_of_the_first_line(folder: Path, name: str = "it.yaml") -> str:
    return (folder / name).read_text(encoding="utf-8").split("\n", 1)[0]
