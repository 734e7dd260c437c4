"""A picture of a benchmark's JSON: how long each competitor takes, `pipeline` being 1."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from scripts.benchmarks.figures import Json

_WIDTH, _LABEL, _ROW, _GAP, _TOP = 760, 190, 22, 34, 30  # pixels; a group's title stands in the gap above it
_BAR, _ROOM = _WIDTH - _LABEL - 130, 16
_OURS, _THEIRS, _SPREAD = "#1f7a4d", "#8a94a0", "#333b44"


def svg(measured: Json) -> str:
    """An SVG of all scenarios with peers. A bar is the median of the ratios in each round; the line, their range."""
    groups = [
        (scenario["title"], scenario["pictures"], _bars(scenario["ratios"]))
        for name, scenario in measured["scenarios"].items()
        if "pipeline" in scenario["competitors"] and scenario["ratios"] and name != "startup"
    ]
    longest = max((high for _, _, bars in groups for _, _, _, high in bars), default=1.0)
    lines, y = [], _TOP
    for title, pictures, bars in groups:
        lines.append(text(8, y, f"{title}; {pictures:,} pictures", bold=True))
        y += 8
        for name, middle, low, high in bars:
            lines += _bar(y, name, middle, low, high, _BAR / longest)
            y += _ROW
        y += _GAP
    note = "wall time, pipeline = 1; median of the rounds, the thin line is from the quickest to the slowest round"
    lines.append(text(8, y - 8, note, size=11))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y + 6}" viewBox="0 0 {_WIDTH} {y + 6}" '
        f'font-family="system-ui, sans-serif" role="img" aria-label="{escape(note)}">\n'
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n' + "\n".join(lines) + "\n</svg>\n"
    )


def _bars(ratios: Json) -> list[tuple[str, float, float, float]]:
    """Name, middle, low, high of each one's time over that of `pipeline`, the quickest first."""
    bars = [("pipeline", 1.0, 1.0, 1.0)]
    for name, kinds in ratios.items():
        wall = kinds["wall"]  # pipeline's over theirs
        bars.append((name, 1 / wall["middle"], 1 / wall["high"], 1 / wall["low"]))
    return sorted(bars, key=lambda bar: bar[1])


def _bar(y: int, name: str, middle: float, low: float, high: float, scale: float) -> Iterator[str]:
    colour = _OURS if name == "pipeline" else _THEIRS
    centre = y + _ROOM / 2
    yield text(_LABEL - 8, y + 13, name, anchor="end")
    yield f'<rect x="{_LABEL}" y="{y}" width="{middle * scale:.1f}" height="{_ROOM}" rx="2" fill="{colour}"/>'
    if high > low:
        x, to = _LABEL + low * scale, _LABEL + high * scale
        yield f'<path d="M{x:.1f} {centre}H{to:.1f}" stroke="{_SPREAD}" stroke-width="1.5"/>'
    yield text(_LABEL + max(middle, high) * scale + 8, y + 13, f"{middle:.2f}")


def text(x: float, y: float, words: str, *, anchor: str = "start", bold: bool = False, size: int = 13) -> str:
    """One line of text in an SVG."""
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="#1b1f24"{weight}>'
        f"{escape(words)}</text>"
    )
