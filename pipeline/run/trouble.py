"""When to give up a run because it fails wholesale: a broken library fails every picture, a bad picture only one.

The same holds for storage. Where it is gone, all reads hang, and each costs a thread and its time; where it is slow,
only some do. When a disk is unmounted in the middle of a run, all its files vanish, not only a few.
"""

from __future__ import annotations

from pipeline.config.settings import FailureSettings

_FEWEST = 20  # pictures, before a share of them means anything
_VANISHED = 0.2  # of the pictures dealt with: with more, the whole source is vanishing, not a few files
_SILENT = 10  # reads in a row, at least, that time out if the storage no longer answers


def wholesale(settings: FailureSettings, failed: int, carried: int) -> str:
    """Why the run must be given up, in one line; "" if it need not."""
    if settings.most is not None and failed >= settings.most:
        return f"{failed} of {carried} pictures failed, with {settings.most} the run stops (failures.stop_after)"
    share = settings.most_share
    if share is not None and carried >= _FEWEST and failed > share * carried:
        return f"{failed} of {carried} pictures failed, more than {share * 100:g} % (failures.stop_after)"
    return ""


def silent(source: str, unanswered: int, threads: int) -> str:
    """Why the run must be given up after so many reads in a row that timed out: twice as many as `threads`, so that
    each has waited twice. "" if it need not.
    """
    if unanswered < max(_SILENT, 2 * threads):
        return ""
    return f"no answer from the source {source}: {unanswered} reads in a row timed out (is its disk or server there?)"


def vanishing(source: str, vanished: int, dealt_with: int) -> str:
    """Why the run fails when so many of its pictures have vanished; "" if it does not."""
    if vanished < _FEWEST or vanished <= _VANISHED * dealt_with:
        return ""
    gone = f"{vanished:,} of {dealt_with:,} pictures vanished from the source {source} after they were listed"
    return f"{gone} (is all of it still mounted?)"
