"""A picture of how fast each kind of work goes on more and more CPUs, from the JSON of the scaling scenarios."""

from __future__ import annotations

import re
from html import escape
from statistics import median

from pipeline.run.prestart import lane_processes
from scripts.benchmarks.chart import text
from scripts.benchmarks.figures import Json

_PANEL, _HEIGHT, _LEFT, _TOP, _GAP = 330, 170, 52, 44, 74  # pixels
_OURS, _ONE, _POOL, _GRID = "#1f7a4d", "#7fb89b", "#8a94a0", "#e3e6ea"
_LABEL = re.compile(r"(\d+) CPUs?(?:, (pool|lanes \d+))?")

Points = dict[int, float]


def svg(measured: Json) -> str:
    """An SVG with a panel for each scaling scenario: pictures a second over CPUs by `pipeline` with its lanes, by the
    same with one process for all children, and by a pool of processes.
    """
    scenarios = [(name, each) for name, each in measured["scenarios"].items() if name.startswith("scaling-")]
    lines = []
    for number, (_name, scenario) in enumerate(scenarios):
        x = _LEFT + number % 2 * (_PANEL + _LEFT)
        y = _TOP + number // 2 * (_HEIGHT + _GAP)
        lines += _panel(x, y, scenario)
    width = 2 * (_PANEL + _LEFT) + 30
    height = _TOP + (len(scenarios) + 1) // 2 * (_HEIGHT + _GAP)
    note = "pictures a second over CPUs; green: pipeline, pale: one process for all children, grey: ten lines in a pool"
    lines.append(text(_LEFT, height - 10, note, size=11))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="system-ui, sans-serif" role="img" aria-label="{escape(note)}">\n'
        '<rect width="100%" height="100%" fill="#ffffff"/>\n' + "\n".join(lines) + "\n</svg>\n"
    )


def _panel(x: int, y: int, scenario: Json) -> list[str]:
    curves = _curves(scenario)
    counts = sorted(curves["pipeline"])
    most = max(rate for points in curves.values() for rate in points.values())
    step = _round(most / 3)

    def place(count: int, rate: float) -> tuple[float, float]:
        return x + (count.bit_length() - 1) * _PANEL / max(1, len(counts) - 1), y + _HEIGHT * (1 - rate / most)

    lines = [text(x, y - 16, scenario["title"].removesuffix(", for each CPU"), bold=True)]
    for line in range(int(most / step) + 1):
        _, at = place(1, line * step)
        lines.append(f'<path d="M{x} {at:.1f}h{_PANEL}" stroke="{_GRID}"/>')
        lines.append(text(x - 8, at + 4, f"{line * step:,.0f}", anchor="end", size=11))
    for count in counts:
        at, _ = place(count, 0)
        lines.append(text(at, y + _HEIGHT + 16, str(count), anchor="middle", size=11))
    for name, colour in (("pool", _POOL), ("one", _ONE), ("pipeline", _OURS)):
        places = [place(count, rate) for count, rate in sorted(curves[name].items())]
        path = "L".join(f"{left:.1f} {top:.1f}" for left, top in places)
        if path:
            lines.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        lines += [f'<circle cx="{left:.1f}" cy="{top:.1f}" r="3" fill="{colour}"/>' for left, top in places]
    return lines


def _curves(scenario: Json) -> dict[str, Points]:
    """Pictures a second by the number of CPUs: with lanes as a run has them, with one process, and of a pool."""
    curves: dict[str, Points] = {"pipeline": {}, "one": {}, "pool": {}}
    for label, costs in scenario["competitors"].items():
        matched = _LABEL.fullmatch(label)
        if matched is None:
            continue
        rate = scenario["pictures"] / median(costs["wall"])
        count, how = int(matched[1]), matched[2]
        if how is None:
            curves["pipeline"][count] = rate
        elif how == "pool":
            curves["pool"][count] = rate
        elif how == "lanes 0":
            curves["one"][count] = rate
        elif how == f"lanes {lane_processes(count)}":
            curves["pipeline"][count] = rate  # its own label comes before it
    before = {count: rate for count, rate in curves["pipeline"].items() if count not in curves["one"]}
    curves["one"] = before | curves["one"]
    return curves


def _round(value: float) -> float:
    """A round number near `value`."""
    power = 10.0 ** (len(str(int(value))) - 1)
    return max(1.0, round(value / power) * power)
