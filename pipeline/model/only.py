"""Which pictures of a source are taken, told by their headers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Only:
    """Bounds of the upright picture, inclusive. None: no bound."""

    min_width: int | None = None  # pixels
    max_width: int | None = None
    min_height: int | None = None
    max_height: int | None = None
    max_aspect: float | None = None  # the longer side by the shorter one
    raw: bool = False  # whether camera raws are taken, by their embedded previews
    formats: tuple[str, ...] = ()  # as `Header.format`, an mpo being a jpeg; empty: every format

    def outside(self, format_: str, width: int, height: int) -> str:
        """Why a picture is left out: the key that it does not meet, a colon, and what it is. "" if it is taken."""
        kind = "jpeg" if format_ == "mpo" else format_
        if self.formats and kind not in self.formats:
            return f"formats: {kind}"
        sides = (("width", width, self.min_width, self.max_width), ("height", height, self.min_height, self.max_height))
        for side, length, least, most in sides:
            if least is not None and length < least:
                return f"min_{side}: {length} pixels"
            if most is not None and length > most:
                return f"max_{side}: {length} pixels"
        longer, shorter = max(width, height), min(width, height)
        if self.max_aspect is not None and longer > self.max_aspect * shorter:
            return f"max_aspect: {longer / shorter:.2f}"
        return ""


def key_of(why: str) -> str:
    """The key that a picture did not meet, from the reason that `Only.outside` gave."""
    return why.partition(":")[0]
