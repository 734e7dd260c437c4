"""Where a lane process begins: its first child loads what it needs while the lane does."""

from __future__ import annotations

from pipeline.run.rendering import prestarted
from pipeline.workers.peer import Messages

SERVE = "pipeline.run.lane_main:serve"


def serve(messages: Messages) -> None:
    """Be a lane until the driver says that it is over. Runs in the main thread of a process of its own."""
    with prestarted(wanted=True, processes=None) as children:
        from pipeline.run import lane_host  # noqa: PLC0415 - it takes as long to load as what a child needs

        lane_host.serve(messages, children)
