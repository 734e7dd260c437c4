"""When a run is given up because it goes wrong wholesale: a broken library fails every picture, a bad picture one.

Likewise a storage that is gone lets every read hang, a slow one some; each of them costs a thread and its time. And a
disk that is unmounted in the middle of a run takes all that was listed on it along, somebody who deletes a few files.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.config.settings import FailureSettings

_FEWEST = 20  # pictures, before a share of them means anything
_VANISHED = 0.2  # of the pictures dealt with: with more, it is the source that is going and not some of its files
_SILENT = 10  # reads in a row, at least, that time out where nobody answers any more


def wholesale(settings: FailureSettings, failed: int, carried: int) -> str:
    """Why the run is to be given up, in one line; "" where it is not."""
    if settings.most is not None and failed >= settings.most:
        return f"{failed} of {carried} pictures failed, with {settings.most} the run stops (failures.stop_after)"
    share = settings.most_share
    if share is not None and carried >= _FEWEST and failed > share * carried:
        return f"{failed} of {carried} pictures failed, more than {share * 100:g} % (failures.stop_after)"
    return ""


def silent(source: Path, unanswered: int, threads: int) -> str:
    """Why the run is to be given up after so many reads in a row that timed out: twice as many as `threads` that read,
    so that each has waited twice. "" where it is not.
    """
    if unanswered < max(_SILENT, 2 * threads):
        return ""
    return f"no answer from the source {source}: {unanswered} reads in a row timed out (is its disk or server there?)"


def vanishing(source: Path, vanished: int, dealt_with: int) -> str:
    """Why a run in which so many of the pictures dealt with were gone when it was their turn could not do its work; ""
    where it could.
    """
    if vanished < _FEWEST or vanished <= _VANISHED * dealt_with:
        return ""
    gone = f"{vanished:,} of {dealt_with:,} pictures vanished from the source {source} after they were listed"
    return f"{gone} (is all of it still mounted?)"
