"""What came of the rounds: ratios with their spread, as a table, as JSON, and compared with those of another day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from scripts.benchmarks.measure import Cost

Json = dict[str, Any]
KINDS = ("wall", "cpu")


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of several values, and the lowest and highest of them."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Raises ValueError where there are none."""
        return cls(median(values), min(values), max(values))

    def shown(self, digits: int = 2) -> str:
        """`1.23 (1.10-1.40)`."""
        return f"{self.middle:.{digits}f} ({self.low:.{digits}f}-{self.high:.{digits}f})"


@dataclass(frozen=True, slots=True)
class Result:
    """One scenario's rounds: what each competitor cost in each, in the order of the rounds.

    `base` None: ratios are `pipeline`'s cost over each peer's; else each one's cost over that of `base`.
    """

    scenario: str
    title: str
    pictures: int
    costs: dict[str, list[Cost]]
    base: str | None = None

    @property
    def ratios(self) -> dict[str, dict[str, Spread]]:
        """`wall` and `cpu` by competitor. A ratio is taken within each round, so that a slow minute hits both sides."""
        ours = self.base or "pipeline"
        return {
            other: {
                kind: self._ratio(other, ours, kind) if self.base else self._ratio(ours, other, kind) for kind in KINDS
            }
            for other in self.costs
            if other != ours and ours in self.costs
        }

    def _ratio(self, over: str, under: str, kind: str) -> Spread:
        pairs = zip(self.costs[over], self.costs[under], strict=True)
        return Spread.of([getattr(cost, kind) / max(getattr(other, kind), 1e-3) for cost, other in pairs])


def table(result: Result) -> str:
    """For people: seconds and ratios, a line for each competitor."""
    of = f"it / {result.base}" if result.base else "pipeline / it"
    rows = [("", "wall s", "CPU s", "peak MB", f"wall: {of}", f"CPU: {of}")]
    digits = 3 if result.base else 2
    for name, costs in result.costs.items():
        memory = [cost.memory for cost in costs if cost.memory]
        ratio = result.ratios.get(name)
        rows.append((
            name,
            Spread.of([cost.wall for cost in costs]).shown(digits),
            Spread.of([cost.cpu for cost in costs]).shown(digits),
            f"{max(memory) / 1e6:.0f}" if memory else "",
            ratio["wall"].shown() if ratio else "",
            ratio["cpu"].shown() if ratio else "",
        ))  # fmt: skip
    rounds = len(next(iter(result.costs.values())))
    title = f"{result.scenario}: {result.title}; {result.pictures} pictures, {rounds} rounds, median (lowest-highest)"
    return f"{title}\n{aligned(rows)}"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of equal length as columns: the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  " + "  ".join(
            text.ljust(width) if column == 0 else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )  # fmt: skip


def as_json(results: Iterable[Result], about: Json) -> Json:
    """Everything that was measured, and the ratios; `about` says where and with what."""
    return {
        "about": about,
        "scenarios": {
            result.scenario: {
                "title": result.title,
                "pictures": result.pictures,
                "competitors": {
                    name: {
                        "wall": [round(cost.wall, 4) for cost in costs],
                        "cpu": [round(cost.cpu, 4) for cost in costs],
                        "memory": [cost.memory for cost in costs if cost.memory],
                    }
                    for name, costs in result.costs.items()
                },
                "ratios": {
                    peer: {
                        kind: {"middle": spread.middle, "low": spread.low, "high": spread.high}
                        for kind, spread in kinds.items()
                    }
                    for peer, kinds in result.ratios.items()
                },
            }
            for result in results
        },
    }


def compared(old: Json, new: Json) -> tuple[str, bool]:
    """A table of what changed between two files of `as_json`, and whether any ratio is worse by more than its spread.

    The spread of a ratio is from its lowest to its highest round, in the file where that is wider.
    """
    rows, worse = [("scenario", "against", "", "before", "now", "")], False
    for scenario, result in sorted(new["scenarios"].items()):
        before = old["scenarios"].get(scenario, {}).get("ratios", {})
        for peer, kinds in result["ratios"].items():
            for kind, now in kinds.items():
                then = before.get(peer, {}).get(kind)
                if then is None:
                    continue
                change = now["middle"] - then["middle"]
                spread = max(ratio["high"] - ratio["low"] for ratio in (then, now))
                verdict = "" if abs(change) <= spread else "worse" if change > 0 else "better"
                worse = worse or verdict == "worse"
                rows.append((
                    scenario, peer, kind, Spread(**then).shown(), Spread(**now).shown(), verdict
                ))  # fmt: skip
    return (aligned(rows) if len(rows) > 1 else "  the two have no scenario and peer in common"), worse
