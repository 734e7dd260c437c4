from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.config.load import MAX_BYTES, MAX_SHOWN, load
from pipeline.config.settings import (
    CommandSettings,
    Config,
    Durability,
    NotifySettings,
    On,
    OnCollision,
    Order,
    SourceSettings,
    TargetSettings,
    WorkerSettings,
)
from pipeline.errors import ConfigError
from pipeline.model.spec import Fit, Format, Limits, Spec
from pipeline.program import to_copy

SHORT = "source: photos\ntarget: made\nrenditions:\n  thumb: {width: 320}\n"

LONG = """\
source:
  path: photos
  include: ["*.jpg", "b/**"]
  exclude: [drafts]
  follow_symlinks: true
  settle: 2
target:
  path: ../made
  name: "{rendition}/{dir}/{stem}.{ext}"
  on_collision: keep_extension
  durability: none
renditions:
  "320": {width: 320, height: 010, fit: cover, enlarge: true, format: webp, quality: 75, background: "#AbC"}
  full: {background: navy, format: png}
workers: {threads: 3, processes: 0, queue: 5, memory: 1.5 GiB}
limits: {pixels: 12.5 Mpx, frames: 2, scans: 3, seconds: 1.5, memory: 500MB, file_size: 10}
manifest: records/m.sqlite
order: newest
notify:
  ping: {url_env: HC_URL}
  command: {run: [./tell.sh, "1"], on: always, timeout: 2.5}
  metrics: /var/lib/node_exporter/it.prom
  status_file: it.json
"""


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "it.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refused(path: Path) -> str:
    with pytest.raises(ConfigError) as error:
        load(path)
    return str(error.value)


def test_a_short_config_has_every_default(tmp_path: Path) -> None:
    assert load(written(tmp_path, SHORT)) == Config(
        path=tmp_path / "it.yaml",
        sources=(SourceSettings(tmp_path / "photos"),),
        target=TargetSettings(tmp_path / "made"),
        specs=(Spec("thumb", width=320),),
        workers=WorkerSettings(),
        limits=Limits(),
        manifest=tmp_path / "made" / ".pipeline" / "manifest.sqlite",
    )


def test_a_long_config_is_read_whole(tmp_path: Path) -> None:
    config = load(written(tmp_path, LONG))
    assert config == Config(
        path=tmp_path / "it.yaml",
        sources=(
            SourceSettings(tmp_path / "photos", ("*.jpg", "b/**"), ("drafts",), follow_symlinks=True, settle=2.0),
        ),
        target=TargetSettings(
            tmp_path.parent / "made",
            "{rendition}/{dir}/{stem}.{ext}",
            OnCollision.KEEP_EXTENSION,
            Durability.NONE,
        ),
        specs=(
            Spec("320", 320, 10, Fit.COVER, enlarge=True, format=Format.WEBP, quality=75, background="#aabbcc"),
            Spec("full", format=Format.PNG, background="#000080"),
        ),
        workers=WorkerSettings(threads=3, processes=0, queue=5, memory=1536 * 2**20),
        limits=Limits(12_500_000, 2, 3, seconds=1.5, memory=500_000_000, file_size=10),
        manifest=tmp_path / "records" / "m.sqlite",
        order=Order.NEWEST,
        notify=NotifySettings(
            "HC_URL",
            CommandSettings(("./tell.sh", "1"), On.ALWAYS, 2.5),
            Path("/var/lib/node_exporter/it.prom"),
            tmp_path / "it.json",
        ),
    )
    assert type(config.specs[0].fit) is Fit
    assert type(config.sources[0].settle) is float


def test_the_short_form_of_a_command_is_called_after_failures(tmp_path: Path) -> None:
    text = SHORT + "notify: {command: [mail, me@example.org]}\n"
    assert load(written(tmp_path, text)).notify == NotifySettings(command=CommandSettings(("mail", "me@example.org")))


@pytest.mark.parametrize(
    "wrong", ["{ping: URL}", "{ping: {url_env: URL}}", "{ping: {url_env: [URL]}}", "{ping: [URL]}"]
)
def test_a_secret_in_the_wrong_place_is_not_repeated(tmp_path: Path, wrong: str) -> None:
    text = refused(written(tmp_path, SHORT + f"notify: {wrong}\n".replace("URL", "https://hc.example/s3cret")))
    assert "environment variable" in text
    assert "s3cret" not in text


def test_auto_is_auto(tmp_path: Path) -> None:
    text = SHORT + "workers: {threads: auto, processes: auto, memory: auto}\n"
    assert load(written(tmp_path, text)).workers == WorkerSettings()


def test_paths_are_relative_to_the_config_wherever_the_program_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "configs").mkdir()
    written(tmp_path / "configs", "source: ../photos\ntarget: /abs/made\nrenditions: {a: {}}\n")
    monkeypatch.chdir(tmp_path)
    config = load(Path("configs/it.yaml"))
    assert (config.path, config.sources[0].path, config.target.path) == (
        tmp_path / "configs" / "it.yaml",
        tmp_path / "photos",
        Path("/abs/made"),
    )


def test_a_path_through_a_link_means_what_the_kernel_means(tmp_path: Path) -> None:
    (tmp_path / "far" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "deep")
    config = load(written(tmp_path, "source: link/../photos\ntarget: link\nrenditions: {a: {}}\n"))
    assert os.path.realpath(config.sources[0].local) == str(tmp_path / "far" / "photos")
    assert config.target.path == tmp_path / "link"


@pytest.mark.parametrize(("folder", "link"), [("photos", "made"), ("made", "photos")])
def test_a_target_that_is_the_source_by_a_link_is_refused(folder: str, link: str, tmp_path: Path) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / link).symlink_to(folder)
    assert "originals are never written over" in refused(written(tmp_path, SHORT))


@pytest.mark.parametrize(("source", "target"), [("photos", "photos/made"), ("photos", "photos2"), ("a/../b", "a")])
def test_a_target_inside_or_beside_the_source_is_fine(source: str, target: str, tmp_path: Path) -> None:
    load(written(tmp_path, f"source: {source}\ntarget: {target}\nrenditions: {{a: {{}}}}\n"))


def test_values_through_aliases_are_values(tmp_path: Path) -> None:
    text = "source: photos\ntarget: made\nrenditions: {a: &a {width: 3}, b: *a}\n"
    assert load(written(tmp_path, text)).specs == (Spec("a", width=3), Spec("b", width=3))


def test_an_error_in_an_alias_is_told_where_it_is_used_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "source: photos\ntarget: made\nrenditions:\n  a: &a {width: 0}\n  b: *a\n")
    lines = refused(Path("it.yaml")).splitlines()
    assert [line.split(": must")[0] for line in lines] == [
        "it.yaml:4:17: renditions.a.width",
        "it.yaml:4:17: renditions.b.width",
    ]


def unreadable(folder: Path) -> dict[str, tuple[Path, str]]:
    (folder / "thumbs.yaml").write_text(SHORT)
    os.mkfifo(folder / "fifo.yaml")
    (folder / "loop.yaml").symlink_to("loop.yaml")
    (folder / "bytes.yaml").write_bytes(SHORT.encode() + b"# caf\xe9\n")
    (folder / "bom.yaml").write_text("\ufeff" + SHORT, encoding="utf-8")
    (folder / "utf16.yaml").write_text(SHORT, encoding="utf-16")
    (folder / "long.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    (folder / "empty.yaml").write_bytes(b"")
    return {
        "missing": (Path("zz.yaml"), f": there is no such file; `{to_copy('init')}` writes a config to start from"),
        "misspelt": (Path("thumb.yaml"), ': there is no such file; did you mean "thumbs.yaml"?'),
        "in a folder that is not there": (
            Path("no/x.yaml"),
            f": there is no such file; `{to_copy('init')}` writes a config to start from",
        ),
        "a folder": (
            Path("."),
            f": is a folder; name a YAML file. For pictures in it `{to_copy('init', '--source', '.')}` writes one",
        ),
        "in capitals": (Path("THUMBS.yaml"), ': there is no such file; did you mean "thumbs.yaml"?'),
        "a FIFO": (Path("fifo.yaml"), ": is not a regular file"),
        "a device": (Path("/dev/null"), ": is not a regular file"),
        "a loop of links": (Path("loop.yaml"), ": cannot be read: Too many levels of symbolic links"),
        "below a file": (Path("thumbs.yaml/x"), ": cannot be read: Not a directory"),
        "a NUL": (Path("a\0b"), ": cannot be read: there is a NUL in its name"),
        "not UTF-8": (Path("bytes.yaml"), ":5:6: is not UTF-8 from here on; save the file as UTF-8"),
        "a byte order mark": (
            Path("bom.yaml"),
            ": starts with a byte order mark of UTF-8; save it as UTF-8 without one",
        ),
        "UTF-16": (Path("utf16.yaml"), ": starts with a byte order mark of UTF-16; save it as UTF-8 without one"),
        "huge": (Path("long.yaml"), ": is larger than 256 KiB; is this a config?"),
        "empty": (Path("empty.yaml"), f": is empty; `{to_copy('init')}` writes a config to start from"),
    }


def test_a_file_that_is_no_config_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cases = unreadable(tmp_path)
    assert {name: refused(path) for name, (path, _) in cases.items()} == {
        name: str(path).replace("\0", "\\x00") + text for name, (path, text) in cases.items()
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, SHORT)
    path.chmod(0)
    assert refused(path) == f"{path}: cannot be read: Permission denied"


def test_a_flood_of_errors_is_capped(tmp_path: Path) -> None:
    text = SHORT + "".join(f"k{n}: 1\n" for n in range(MAX_SHOWN + 3))
    lines = refused(written(tmp_path, text)).splitlines()
    assert len(lines) == MAX_SHOWN + 1
    assert lines[-1].endswith(": and 3 more")


def test_the_modules_that_children_import_do_not_import_pydantic() -> None:
    code = "import sys, pipeline.config.settings, pipeline.config.load; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


KEYS = "source target renditions workers limits manifest path name width height fit format quality background threads"
VALUES = "photos made auto cover jpeg {stem} 2GiB 320 0 -1 .nan no true null ~"
SIGNS = "<< * & ! !!str - ? [ ] { } , : # ' \" | > % @"
words = st.sampled_from(
    [
        *KEYS.split(),
        *VALUES.split(),
        *SIGNS.split(),
        "\n",
        "\n  ",
        "\n    ",
        ": ",
        "- ",
        "\t",
        "é",
        "\U0001f600",
        "\x85",
        "\u2028",
    ]
)
key_names = st.sampled_from(
    ["source", "target", "renditions", "workers", "limits", "manifest", "path", "name", "width", "fit", "a", "include"]
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["made", "auto", "{stem}"]),
)
trees = st.recursive(
    scalars,
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(key_names, below, max_size=4)),
    max_leaves=20,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(text=st.one_of(st.lists(words, max_size=30).map("".join), st.text(max_size=40), st.binary(max_size=20)))
def test_whatever_the_text_there_is_a_config_or_a_config_error(text: str | bytes, tmp_path: Path) -> None:
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    outcome = outcome_of(written(tmp_path, raw))
    if isinstance(outcome, str):
        assert 1 <= len(outcome.splitlines()) <= MAX_SHOWN + 1
        assert all(char.isprintable() or char == "\n" for char in outcome)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(tree=st.dictionaries(key_names, trees, max_size=6))
def test_whatever_the_values_there_is_a_config_or_a_config_error(tree: dict[str, object], tmp_path: Path) -> None:
    outcome = outcome_of(written(tmp_path, in_yaml(tree)))
    assert isinstance(outcome, Config) or all(line.startswith(str(tmp_path)) for line in outcome.splitlines())


def outcome_of(path: Path) -> Config | str:
    """The config or the text of the `ConfigError`; any other exception fails the test."""
    try:
        return load(path)
    except ConfigError as error:
        return str(error)


def in_yaml(value: object) -> str:
    """YAML in the flow style, whatever the value."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {in_yaml(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(in_yaml(below) for below in value) + "]"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(char):08x}" for char in value) + '"'
    return {"None": "null", "True": "true", "False": "false", "nan": ".nan", "inf": ".inf", "-inf": "-.inf"}.get(
        str(value), str(value)
    )


def test_seconds_and_durations_are_the_same_everywhere(tmp_path: Path) -> None:
    (tmp_path / "it.yaml").write_text(
        "source: {path: photos, settle: 10m}\ntarget: made\nrenditions: {a: {}}\n"
        "max_runtime: 3600\nlimits: {seconds: 1m30s, read: '90'}\nnotify: {command: {run: [ls], timeout: 1m}}\n"
    )
    config = load(tmp_path / "it.yaml")
    assert (config.sources[0].settle, config.max_runtime, config.limits.seconds, config.limits.read) == (
        600,
        3600,
        90,
        90,
    )
    assert config.notify.command is not None
    assert config.notify.command.timeout == 60
