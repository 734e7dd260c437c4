"""When a run is given up because it goes wrong wholesale: a broken library fails every picture, a bad picture one."""

from __future__ import annotations

from pipeline.config.settings import FailureSettings

_FEWEST = 20  # pictures that must have been carried before a share of them means anything


def wholesale(settings: FailureSettings, failed: int, carried: int) -> str:
    """Why the run is to be given up, in one line; "" where it is not."""
    if settings.most is not None and failed >= settings.most:
        return f"{failed} of {carried} pictures failed, with {settings.most} the run stops (failures.stop_after)"
    share = settings.most_share
    if share is not None and carried >= _FEWEST and failed > share * carried:
        return f"{failed} of {carried} pictures failed, more than {share * 100:g} % (failures.stop_after)"
    return ""
