"""`manifest export --format hf`, read back by Hugging Face's own library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from pipeline.errors import UsageError
from pipeline.manifest import export_hf
from tests.world import World, jpeg


@pytest.fixture
def dataset(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A data set of one rendition in two sizes, with a picture that fails and one that is filtered."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    world.configure(
        "source: {path: photos, only: {min_width: 20}}\ntarget: {path: out, name: '{rendition}/{dir}/{stem}.{ext}'}\n"
        "renditions:\n  big: {width: 32}\n  small: {width: 16, format: png}\n"
    )
    world.fill(4)
    world.put("a/broken.jpg", jpeg()[:300])
    world.put("a/tiny.jpg", jpeg(size=(8, 8)))
    world.command("run", str(world.config_path))
    return world


def _loaded(folder: Path, cache: Path) -> Any:
    import datasets

    return datasets.load_dataset("imagefolder", data_dir=str(folder), cache_dir=str(cache), split="train")


@pytest.mark.parametrize("name", export_hf.NAMES)
def test_imagefolder_reads_the_pictures_of_one_rendition_with_their_columns(
    dataset: World, tmp_path: Path, name: str
) -> None:
    to = dataset.target / "big" / name
    done = dataset.command("manifest", "export", str(dataset.config_path), "--format", "hf", "--output", str(to))
    assert (done.returncode, done.stderr) == (0, "")
    loaded = _loaded(dataset.target / "big", tmp_path / "cache")
    assert loaded["source"] == ["a/000.jpg", "a/003.jpg", "b/001.jpg", "c/002.jpg"]
    assert [picture.size for picture in loaded["image"]] == [(32, 24)] * 4
    assert loaded["width"] == [32] * 4
    assert {"recipe", "source_sha256", "sha256"} <= set(loaded.column_names)


def test_without_a_place_the_metadata_of_all_renditions_is_beside_them(dataset: World, tmp_path: Path) -> None:
    config = str(dataset.config_path)
    for _ in range(2):  # the second takes the place of the first
        assert dataset.command("manifest", "export", config, "--format", "hf").returncode == 0
    lines = (dataset.target / "metadata.jsonl").read_text().splitlines()
    assert [json.loads(line)["file_name"] for line in lines[:2]] == ["big/a/000.jpg", "small/a/000.png"]
    assert len(_loaded(dataset.target, tmp_path / "cache")) == 8
    assert dataset.command("verify", config).returncode == 0


def test_a_file_that_is_no_such_export_is_never_written_over(dataset: World) -> None:
    config, to = str(dataset.config_path), dataset.target / "metadata.jsonl"
    to.write_text('{"file_name": "big/a/000.jpg", "label": "mine"}\n')
    done = dataset.command("manifest", "export", config, "--format", "hf")
    assert done.returncode == 2
    assert "is there and is no export of this program; name another place (--output)" in done.stderr
    assert "mine" in to.read_text()
    with pytest.raises(UsageError, match="is no export"):
        pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), dataset.target / "metadata.parquet")
        export_hf.check_place(dataset.target / "metadata.parquet", dataset.target)


def test_an_export_of_the_other_kind_takes_the_place_of_the_one_that_is_there(dataset: World) -> None:
    config, target = str(dataset.config_path), dataset.target
    for name in ("metadata.jsonl", "metadata.parquet", "metadata.jsonl"):
        to = str(target / name)
        assert dataset.command("manifest", "export", config, "--format", "hf", "--output", to).returncode == 0
        assert [path.name for path in target.glob("metadata.*")] == [name]
    (target / "metadata.csv").write_text("file_name,label\n")
    done = dataset.command("manifest", "export", config, "--format", "hf")
    assert done.returncode == 2
    assert "metadata.csv: is no export of this program, and imagefolder reads no folder with both" in done.stderr
    assert (target / "metadata.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["hf", "--output", "rows.jsonl"], "must be named metadata.jsonl or metadata.parquet"),
        (["hf", "--output", "metadata.jsonl"], "must be in the target, beside its pictures"),
        (["parquet"], "parquet is no text for standard output: name a file (--output)"),
    ],
)
def test_what_cannot_be_exported_so_is_one_line(dataset: World, arguments: list[str], words: str) -> None:
    done = dataset.command("manifest", "export", str(dataset.config_path), "--format", *arguments, cwd=dataset.root)
    assert done.returncode == 2
    assert words in done.stderr
