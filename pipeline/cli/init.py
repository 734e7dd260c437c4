"""`pipeline init`: a commented config to start from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.console import complain
from pipeline.cli.options import CONFIG, config_argument
from pipeline.folder import FILE_MODE
from pipeline.program import to_copy

if TYPE_CHECKING:
    from pipeline.sources.census import Census

_SCHEMA = "pipeline.schema.json"
_LOOKING = 5.0  # seconds
_PURPOSES = ("web", "archive", "dataset", "thumbs")


@click.command("init")
@config_argument
@click.option(
    "--for",
    "purpose",
    type=click.Choice(_PURPOSES),
    default="thumbs",
    show_default=True,
    help="What the renditions are for: pages in three widths and formats, an archive, training, thumbnails.",
)
@click.option("--source", default="photos", show_default=True, help="Folder with the pictures, relative to CONFIG.")
@click.option("--target", help="Folder for the renditions.  [default: thumbs, public/img for web, archive, dataset]")
def command(config: Path, purpose: str, source: str, target: str | None) -> None:
    """Write a commented starter CONFIG (default: pipeline.yaml); never over a file that is there.

    Counts the pictures that it is for. Beside it pipeline.schema.json is written, by which editors complete and check
    the keys.
    """
    from pipeline.config.editors import schema_text
    from pipeline.config.places import inside, web_root
    from pipeline.config.starter import Purpose, starter
    from pipeline.errors import printable

    chosen = Purpose(purpose)
    target = chosen.folder if target is None else target
    contents = "" if os.path.lexists(config) else _contents(config.parent / source, config.parent / target)
    folder = Path(os.path.abspath(config.parent))
    root = web_root(Path(os.path.abspath(folder / target)))
    beside = f"{config.stem}.manifest.sqlite" if root and not inside(root, folder) else ""
    if not _write(config, starter(source, target, chosen, beside)):
        raise click.ClickException(_in_the_way(config))
    also = f" and {_SCHEMA}" if _write(config.with_name(_SCHEMA), schema_text()) else ""
    complain(contents)
    if root and not beside:
        complain(f"{printable(str(root))} looks published, with this config in it: name a place outside as `manifest:`")
    given = () if str(config) == CONFIG else (str(config),)
    complain(f"wrote {config}{also}; look it over, then: {to_copy('plan', *given)}")


def _in_the_way(config: Path) -> str:
    if config.is_dir():
        named = to_copy("init", "--source", os.path.normpath(config))
        return f"{config} is a folder, and a config is a file. For the pictures in it: {named}"
    return f"{config} is there already; name another file"


def _write(file: Path, text: str) -> bool:
    """Write a new file. False where there is one."""
    try:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE), "w", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        return False
    except OSError as error:
        raise click.ClickException(f"cannot write {file}: {error.strerror}") from None
    return True


def _contents(source: Path, target: Path) -> str:
    """What the source holds, in a sentence."""
    from pipeline.config.settings import SourceSettings
    from pipeline.errors import PipelineError, printable
    from pipeline.sources.census import census
    from pipeline.sources.local import LocalSource

    absolute = Path(os.path.abspath(source))
    if not absolute.is_dir():
        return f"there is no folder {printable(str(source))} yet: put your pictures there, or name theirs with --source"
    try:
        counts = census(LocalSource(SourceSettings(absolute)), [Path(os.path.abspath(target))], _LOOKING)
    except PipelineError as error:
        return printable(str(error))
    return f"{printable(str(source))}: {_counted(counts)}"


def _counted(counts: Census) -> str:
    """`812 pictures, 2 formats (790 jpeg, 22 png), 41 unsupported`, in a plan's words; and what the formats need."""
    from pipeline.amounts import count, of_each
    from pipeline.extras import how_to_have
    from pipeline.model.record import Status
    from pipeline.sources.magic import not_decoded

    least = "" if counts.complete else "at least "
    parts = [f"{least}{count(counts.pictures, 'picture')}"]
    if counts.formats:
        each = ", ".join(f"{number:,} {name}" for name, number in counts.formats.items())
        parts.append(f"{count(len(counts.formats), 'format')} ({each})")
    if counts.by_name:
        parts.append(f"{counts.by_name:,} of them named like a picture but without the content of one")
    others = of_each({Status.SKIPPED: counts.skipped, Status.UNSUPPORTED: counts.unsupported})
    text = ", ".join(filter(None, [*parts, others]))
    if lacking := sorted(not_decoded() & counts.formats.keys()):
        packages = {"heif": "pillow-heif", "jxl": "jxl"}
        remedy = "".join(f"; {how_to_have(packages[name])}" for name in lacking)
        text += f"\n{' and '.join(lacking)} cannot be read here and are passed over{remedy}"
    return text
