"""What is said of a list of URLs alone: how it is told from a folder, and how its URLs are fetched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from pydantic_core import PydanticCustomError

from pipeline.config.kinds import Seconds
from pipeline.config.section import Flag, Json, Kind, Section, field_of, wrong
from pipeline.config.settings import UrlSettings
from pipeline.config.texts import HeaderText

LISTS = ("txt", "csv", "tsv", "jsonl", "parquet")  # the last extension of a list of URLs, before .gz


def is_list(path: str) -> bool:
    """Whether a source is a list of URLs, told by its name."""
    return path.lower().removesuffix(".gz").rpartition(".")[2] in LISTS


@dataclass(frozen=True, slots=True)
class Refresh(Kind):
    """`never`, which becomes None, `always`, which becomes 0, or seconds as in `Seconds`."""

    def parse(self, value: object) -> float | None:
        """See `Kind`."""
        if value in ("never", "always"):
            return None if value == "never" else 0.0
        try:
            return _UP_TO_TEN_YEARS.parse(value)
        except PydanticCustomError:
            raise wrong("must be never, always, or a duration such as 7d or 12h", "never always") from None

    def json(self) -> Json:
        """See `Kind`."""
        return {"anyOf": [{"enum": ["never", "always"]}, _UP_TO_TEN_YEARS.json()]}


_UP_TO_TEN_YEARS = Seconds(0, 3653 * 86_400)


@dataclass(frozen=True, slots=True)
class NumberOr(Kind):
    """A number from `low` to `high`, or a `word`, which becomes None."""

    word: str
    low: float
    high: float

    def parse(self, value: object) -> float | None:
        """See `Kind`."""
        if value == self.word:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            raise wrong(f"must be a number from {self.low:g} to {self.high:g}, or {self.word}", self.word)
        return float(value)

    def json(self) -> Json:
        """See `Kind`."""
        number = {"type": "number", "minimum": self.low, "maximum": self.high}
        return {"anyOf": [{"const": self.word, "type": "string"}, number]}


class Fetch(Section):
    """How the URLs of a list are asked for."""

    per_host: Annotated[int, Field(strict=True, ge=1, le=1024)] = field_of(
        UrlSettings, "per_host", "Requests to one host at a time."
    )
    rate: Annotated[float | None, NumberOr("unlimited", 0.001, 100_000)] = field_of(
        UrlSettings, "rate", "Requests a second to one host, or unlimited."
    )
    connect: Annotated[float, Seconds(0.1, 3600)] = field_of(
        UrlSettings, "connect", "What a connection may take, for each address of a host."
    )
    silence: Annotated[float, Seconds(0.1, 3600)] = field_of(
        UrlSettings, "silence", "How long a server may send nothing. All of a URL together may take limits.read."
    )
    robots: Flag = field_of(UrlSettings, "robots", "Whether robots.txt and X-Robots-Tag are heeded.")
    allow_private: Flag = field_of(
        UrlSettings,
        "allow_private",
        "Whether URLs may lead to addresses that are not on the public internet: this machine, its network, metadata "
        "services.",
    )
    proxy: Flag = field_of(UrlSettings, "proxy", "Whether the proxies of the environment (https_proxy ...) are used.")
    user_agent: Annotated[str | None, HeaderText()] = Field(
        default=None, description="What servers are told of this program; some ask for an address to write to."
    )
