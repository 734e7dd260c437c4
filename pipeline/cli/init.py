"""`pipeline init`: a commented config to start from."""

from __future__ import annotations

import os
from pathlib import Path

import click

from pipeline.cli.console import complain
from pipeline.folder import FILE_MODE


@click.command("init")
@click.argument("config", type=click.Path(path_type=Path, dir_okay=False), default=Path("pipeline.yaml"))
@click.option("--source", default="photos", show_default=True, help="Folder with the pictures.")
@click.option("--target", default="thumbs", show_default=True, help="Folder for the renditions.")
def command(config: Path, source: str, target: str) -> None:
    """Write a commented starter CONFIG (default: pipeline.yaml); never over a file that is there."""
    from pipeline.config.starter import starter

    text = starter(source, target, config.stem)
    try:
        with open(os.open(config, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE), "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise click.ClickException(f"{config} is there already; name another file") from None
    except OSError as error:
        raise click.ClickException(f"cannot write {config}: {error.strerror}") from None
    complain(f"wrote {config}; look it over, then: pipeline plan {config}")
