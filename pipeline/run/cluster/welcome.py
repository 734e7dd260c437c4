"""Which workers get a lane: those that see the driver's source and target, and make the same pixels."""

from __future__ import annotations

from contextlib import suppress

from pipeline.errors import printable
from pipeline.run.cluster import worker
from pipeline.run.cluster.worker import Sight, Versions
from pipeline.sources.source import Source
from pipeline.targets.lease import Lease, probe_beside


class Welcome:
    """Judges what workers see. For the driver's thread."""

    def __init__(self, lease: Lease, source: Source, witness: tuple[str, str] | None) -> None:
        """`witness`: folder and name of a picture of `source` that is a file; None: they are no files."""
        self.witness = witness
        self._lease = lease
        self._source = source
        self._versions = worker.versions()

    def refusal(self, sight: Sight, number: int) -> str:
        """Why lane number `number` is not opened on the worker that sees this; "": it is."""
        probe = probe_beside(self._lease.place, number)
        try:
            written = probe.read().decode("ascii", "replace")
        except OSError:
            written = ""
        self.forget(number)
        if sight.versions != self._versions:
            return f"it has {difference(sight.versions, self._versions)}"
        if sight.run != self._lease.run or (written != self._lease.run and not sight.wrote):
            return f"it sees another target than the driver: not what the driver has in {self._lease.place}"
        if sight.wrote:
            return f"it cannot write {probe}: {sight.wrote}"
        if sight.trouble:
            return sight.trouble
        if self.witness is not None:
            folder, name = self.witness
            (here,) = self._source.stats(folder, (name,))
            same = here is None or (sight.witness is not None and here.same_content(sight.witness))
            if not same:
                picture = printable(f"{folder}/{name}" if folder else name)
                return f"it sees another source than the driver: {picture} is not the same file there"
        return ""

    def forget(self, number: int) -> None:
        """Remove what the worker has written that was asked for lane `number`."""
        with suppress(OSError):
            probe_beside(self._lease.place, number).remove()


def difference(theirs: Versions, ours: Versions) -> str:
    """What a worker has that differs, and what the driver has in its place."""
    if theirs.program != ours.program:
        return f"version {theirs.program} of this program, the driver {ours.program}"
    if theirs.pixels != ours.pixels:
        return f"revision {theirs.pixels} of what makes pixels, the driver {ours.pixels}"
    words = [set(versions.libraries.split()) for versions in (theirs, ours)]
    there, here = (" ".join(sorted(one - other)) for one, other in (words, words[::-1]))
    return f"{there or 'less'}, the driver {here or 'less'}"
