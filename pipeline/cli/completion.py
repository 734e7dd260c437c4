"""`pipeline completion`: a script that makes a shell complete commands, options and paths."""

from __future__ import annotations

import os

import click

from pipeline.cli.console import tell

_SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(_SHELLS), required=False)
@click.pass_context
def command(context: click.Context, shell: str | None) -> None:
    """Print what has SHELL (default: yours) complete `pipeline`, for its start-up file.

    \b
    bash:  eval "$(pipeline completion bash)"           in ~/.bashrc
    zsh:   eval "$(pipeline completion zsh)"            in ~/.zshrc
    fish:  pipeline completion fish | source            in ~/.config/fish/config.fish
    """  # noqa: D301 - \b is click's mark for "do not rewrap"
    from click.shell_completion import get_completion_class

    name = shell or os.path.basename(os.environ.get("SHELL", ""))
    made = get_completion_class(name)
    if made is None:
        raise click.UsageError(f"which shell? there are {', '.join(_SHELLS)}")
    tell(made(context.find_root().command, {}, "pipeline", "_PIPELINE_COMPLETE").source().strip())
