from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.edit import with_workers, write_workers
from pipeline.config.load import load, read_text
from pipeline.config.settings import WorkerSettings
from pipeline.errors import ConfigError

HEAD = "source: photos   # mine\ntarget: out\nrenditions:\n  thumb: {width: 32}\n"
CASES = {
    "no section": (HEAD, HEAD + "workers:\n  threads: 7\n  processes: 2\n"),
    "no section and no last line break": (HEAD[:-1], HEAD + "workers:\n  threads: 7\n  processes: 2\n"),
    "no section, a comment at the end": (
        HEAD + "# the end\n",
        HEAD + "# the end\nworkers:\n  threads: 7\n  processes: 2\n",
    ),
    "no section, the document ended": (
        f"---\n{HEAD}...\n# after\n",
        f"---\n{HEAD}workers:\n  threads: 7\n  processes: 2\n...\n# after\n",
    ),
    "values with comments": (
        f"workers:  # how many\n  # in flight\n  threads: auto   # or a number\n  processes: auto\t# children\n{HEAD}",
        f"workers:  # how many\n  # in flight\n  threads: 7   # or a number\n  processes: 2\t# children\n{HEAD}",
    ),
    "a key missing": (
        f"workers:\n    queue: 5  # why\n\n    threads: 3 # x\n# y\n{HEAD}",
        f"workers:\n    queue: 5  # why\n\n    threads: 7 # x\n    processes: 2\n# y\n{HEAD}",
    ),
    "a key missing at the end of the file": (
        f"{HEAD}workers:\n  threads: 3",
        f"{HEAD}workers:\n  threads: 7\n  processes: 2\n",
    ),
    "quotes": (f'{HEAD}workers:\n  "threads": "auto"\n', f'{HEAD}workers:\n  "threads": 7\n  "processes": 2\n'),
    "in braces": (
        f"workers: {{threads: auto, queue: 9}}  # c\n{HEAD}",
        f"workers: {{threads: 7, queue: 9, processes: 2}}  # c\n{HEAD}",
    ),
    "in braces over lines": (
        f"workers: {{\n  threads: auto, # t\n  processes: auto, # p\n}}\n{HEAD}",
        f"workers: {{\n  threads: 7, # t\n  processes: 2, # p\n}}\n{HEAD}",
    ),
    "empty braces": (f"workers: {{}}\n{HEAD}", f"workers: {{threads: 7, processes: 2}}\n{HEAD}"),
    "all in braces": (
        "{source: photos, target: out, renditions: {a: {width: 3}}}\n",
        "{source: photos, target: out, renditions: {a: {width: 3}}, workers: {threads: 7, processes: 2}}\n",
    ),
    "JSON": (
        '{"source": "photos", "target": "out", "renditions": {"a": {}}, "workers": {"threads": "auto"}}',
        '{"source": "photos", "target": "out", "renditions": {"a": {}}, "workers": {"threads": 7, "processes": 2}}',
    ),
    "Windows line breaks": (
        HEAD.replace("\n", "\r\n") + "workers:\r\n  threads: 1 # x\r\n# end\r\n",
        HEAD.replace("\n", "\r\n") + "workers:\r\n  threads: 7 # x\r\n  processes: 2\r\n# end\r\n",
    ),
    "Windows line breaks, no section": (
        HEAD.replace("\n", "\r\n"),
        HEAD.replace("\n", "\r\n") + "workers:\r\n  threads: 7\r\n  processes: 2\r\n",
    ),
    "characters beyond ASCII": (
        f"# \U0001f5bc Bücher, 写真\nworkers: {{threads: 1}}  # ä\n{HEAD}",
        f"# \U0001f5bc Bücher, 写真\nworkers: {{threads: 7, processes: 2}}  # ä\n{HEAD}",
    ),
    "everything further in": (
        "  source: photos\n  target: out\n  renditions: {a: {}}\n",
        "  source: photos\n  target: out\n  renditions: {a: {}}\n  workers:\n    threads: 7\n    processes: 2\n",
    ),
}  # before -> after


@pytest.mark.parametrize("case", CASES)
def test_only_the_workers_change(case: str, tmp_path: Path) -> None:
    before, after = CASES[case]
    path = tmp_path / "a.yaml"
    path.write_bytes(before.encode())
    config = load(path)
    wanted = WorkerSettings(threads=7, processes=2, queue=config.workers.queue)
    assert write_workers(config, read_text(path), wanted)
    assert path.read_bytes().decode() == after
    assert load(path) == replace(config, workers=wanted)
    assert os.listdir(tmp_path) == ["a.yaml"]


def test_what_is_there_already_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(HEAD)
    before = path.stat()
    assert not write_workers(load(path), HEAD, WorkerSettings())
    assert path.stat().st_ino == before.st_ino


def test_auto_is_written_over_a_number() -> None:
    assert with_workers(f"workers: {{threads: 3}}\n{HEAD}", {"threads": None}).startswith("workers: {threads: auto}\n")


@pytest.mark.parametrize(
    "workers",
    [
        "workers: &w {threads: 3, processes: 1}\nlimits: {frames: 7}\n",  # fine: the anchor stays
        "limits: {frames: &n 7}\nworkers: {threads: *n}\n",  # fine: the alias is replaced
    ],
)
def test_anchors_that_stay_whole_do_not_matter(workers: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(HEAD + workers)
    assert write_workers(load(path), path.read_text(), WorkerSettings(threads=9, processes=4))
    assert load(path).workers == WorkerSettings(threads=9, processes=4)


def test_a_number_that_is_used_elsewhere_too_is_left_to_people(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    text = f"{HEAD}workers: {{threads: &n 7}}\nlimits: {{frames: *n}}\n"
    path.write_text(text)
    with pytest.raises(ConfigError, match="by hand"):
        write_workers(load(path), text, WorkerSettings(threads=3))
    assert path.read_text() == text
    assert os.listdir(tmp_path) == ["a.yaml"]


def test_a_file_that_was_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(HEAD)
    config = load(path)
    path.write_text(HEAD + "# a thought\n")
    with pytest.raises(ConfigError, match="changed meanwhile"):
        write_workers(config, HEAD, WorkerSettings(threads=3))
    assert path.read_text() == HEAD + "# a thought\n"
    assert os.listdir(tmp_path) == ["a.yaml"]


def test_the_mode_stays_and_a_link_stays_a_link(tmp_path: Path) -> None:
    real = tmp_path / "deep" / "real.yaml"
    real.parent.mkdir()
    real.write_text(HEAD)
    real.chmod(0o640)
    link = tmp_path / "link.yaml"
    link.symlink_to(real)
    assert write_workers(load(link), HEAD, WorkerSettings(threads=3))
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert load(real).workers.threads == 3


def test_a_folder_that_may_not_be_written_to_is_told(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    path = tmp_path / "a.yaml"
    path.write_text(HEAD)
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ConfigError, match="cannot be written"):
            write_workers(load(path), HEAD, WorkerSettings(threads=3))
    finally:
        tmp_path.chmod(0o700)


_VALUES = st.dictionaries(
    st.sampled_from(["threads", "processes", "queue"]),
    st.sampled_from(["auto", "1", "'auto'", "12", "0x3"]),
    min_size=1,
)


@given(
    values=_VALUES,
    flow=st.booleans(),
    comment=st.sampled_from(["", " # c", "   # {a: [b, \U0001f5bc"]),
    end=st.sampled_from(["\n", "\r\n"]),
    first=st.booleans(),
    tail=st.sampled_from(["", "# end", "\n\n"]),
)
def test_the_result_says_what_was_wanted_and_keeps_every_comment(
    values: dict[str, str], flow: bool, comment: str, end: str, first: bool, tail: str
) -> None:
    values = {key: "5" if key == "queue" else value for key, value in values.items()}
    inner = ", ".join(f"{key}: {value}" for key, value in values.items())
    lines = "\n".join(f"  {key}: {value}{comment}" for key, value in values.items())
    section = f"workers: {{{inner}}}{comment}\n" if flow else f"workers:{comment}\n{lines}\n"
    text = (f"{section}{HEAD}{tail}" if first else f"{HEAD}{section}{tail}").replace("\n", end)
    edited = with_workers(text, {"threads": 33, "processes": None, "queue": 44})
    assert edited.count("#") == text.count("#")
    assert edited.count("\n") == edited.count(end)
    assert with_workers(edited, {"threads": 33, "processes": None, "queue": 44}) == edited
    for word in ("threads: 33", "processes: auto", "queue: 44"):
        assert edited.count(word) == 1
