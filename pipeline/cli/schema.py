"""`pipeline schema`: the JSON Schema of configs, for editors and other programs."""

from __future__ import annotations

import click

from pipeline.cli.console import tell


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of configs, that of this version.

    Editors complete and check a config whose first line is `# yaml-language-server: $schema=./pipeline.schema.json`
    when what is printed lies beside it under that name; `pipeline init` writes both.
    """
    from pipeline.config.editors import schema_text

    tell(schema_text().rstrip("\n"))
