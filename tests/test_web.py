"""The templates of `docs/web.md`, each built by its site generator, where that is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipeline.manifest.srcset import pictures, write_srcset
from pipeline.manifest.store import Manifest
from pipeline.plan.rules import families_of
from tests.world import World

DOCUMENT = (Path(__file__).parent.parent / "docs" / "web.md").read_text(encoding="utf-8")
EVIL = "\"><b>'&x.jpg"
GENERATORS = re.findall(
    r"^\| ([A-Z]\w+) \| `([^`]+)` \| `([^`]+)` \| `(?:npx )?(\w+)([^`]*)` \|$", DOCUMENT, re.MULTILINE
)


class Images(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.of_pictures: list[dict[str, str | None]] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "source":
            self.of_pictures.append(dict(attrs))


def lay_out(site: Path, generator: str) -> None:
    """The files that the document shows for a generator."""
    (section,) = re.findall(rf"^### {generator}\n(.*?)(?=^### |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    for name, text in re.findall(r"^`([^`\n]+)`:\n\n```\w+\n(.*?)^```$", section, re.MULTILINE | re.DOTALL):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)


def test_each_generator_of_the_table_has_its_templates(tmp_path: Path) -> None:
    assert [generator[0] for generator in GENERATORS] == re.findall(r"^### (\w+)$", DOCUMENT, re.MULTILINE)
    for generator in GENERATORS:
        lay_out(tmp_path / generator[0], generator[0])
        assert len(list((tmp_path / generator[0]).rglob("*.*"))) >= 2


@pytest.mark.slow
@pytest.mark.parametrize(("generator", "target", "export", "program", "words"), GENERATORS)
def test_a_generator_builds_its_page(
    generator: str, target: str, export: str, program: str, words: str, tmp_path: Path
) -> None:
    if (installed := shutil.which(program)) is None:
        pytest.skip(f"{program} is not installed, and its templates are not built")
    world = World(tmp_path)
    world.configure(
        f"source: photos\ntarget: {{path: {target}, name: '{{dir}}/{{stem}}-{{width}}.{{ext}}'}}\n"
        "manifest: pipeline.manifest.sqlite\nrenditions: {page: {widths: [8, 16], formats: [webp, jpeg]}}\n"
    )
    world.put("a b.jpg")
    world.put(EVIL)
    world.run()
    lay_out(tmp_path, generator)
    (tmp_path / export).parent.mkdir(exist_ok=True)
    with Manifest.reader(world.config) as reader:
        write_srcset(pictures(reader, families_of(world.config), "/img/"), tmp_path / export)
    if modules := [folder for folder in Path(installed).resolve().parents if folder.name == "node_modules"]:
        (tmp_path / "node_modules").symlink_to(modules[0])
    done = subprocess.run(
        [installed, *words.split()],
        cwd=tmp_path,
        env=os.environ | {"ASTRO_TELEMETRY_DISABLED": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    built = next(tmp_path / name for name in ("_site", "dist", "public") if (tmp_path / name / "index.html").exists())
    images = Images()
    images.feed((built / "index.html").read_text(encoding="utf-8"))
    addresses = [image["srcset"] for image in images.of_pictures if image["type"] == "image/webp"]
    assert addresses == [
        f"/img/{name}-8.webp 8w, /img/{name}-16.webp 16w" for name in ("%22%3E%3Cb%3E%27%26x", "a%20b")
    ]
    assert "b" not in images.tags
    assert (built / "img/a b-16.webp").exists()
