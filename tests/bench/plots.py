"""The plots as SVG text: bars with their spread, in the reader's own colours, light or dark."""

from html import escape

from tests.bench.figures import Figures
from tests.bench.page import shown

_WIDTH, _BAR, _GAP, _LEFT, _RIGHT = 720, 18, 8, 190, 90
_STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600 } .ours { fill: #0a7ea4 }
.theirs { fill: #9aa4af } .spread { stroke: #24292f; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .ours { fill: #3fb6dc } .theirs { fill: #6e7781 } .spread { stroke: #e6edf3 }
}
</style>"""

Bar = tuple[str, str, bool]
"""(figure, label, ours)"""


def _compared(row: str) -> list[Bar]:
    return [
        (f"edge_{row}", "Linli's agent", True), (f"peer_{row}", "thingsboard-gateway", False),
        (f"bridge_{row}", "Mosquitto bridge", False),
    ]  # fmt: skip


_EDGE = {
    "Readings/s on one core (more is better)": _compared("readings_per_s"),
    "CPU s per 1,000 readings (less is better)": _compared("cpu_s_per_1k"),
    "CPU s per 1,000 readings at 500/s (less is better)": _compared("cpu_s_per_1k_at_500"),
    "Memory, MB (less is better)": _compared("rss_mb"),
    "First data after an outage, s (less is better)": _compared("outage_first_data_s"),
    "Readings of 10,000 lost by kill -9 (none is right)": _compared("killed_lost"),
}
_CLOUD = {
    "Values/s on two cores (more is better)": [
        ("cloud_values_per_s", "Linli, with its broker", True),
        ("influx_lines_by_reading_values_per_s", "InfluxDB, line a reading", False),
        ("influx_lines_by_reading_two_writers_values_per_s", "the same, two writers", False),
        ("influx_lines_by_value_values_per_s", "InfluxDB, line a value", False),
        ("influx_points_by_reading_values_per_s", "InfluxDB, client's points", False),
    ],
}


def plots_of(figures: Figures) -> dict[str, str]:
    """File name -> SVG."""
    return {"benchmarks-edge.svg": _plot(figures, _EDGE), "benchmarks-cloud.svg": _plot(figures, _CLOUD)}


def _plot(figures: Figures, panels: dict[str, list[Bar]]) -> str:
    parts: list[str] = []
    y = 8
    for title, bars in panels.items():
        y += 18
        parts.append(f'<text class="title" x="8" y="{y}">{escape(title)}</text>')
        y += _GAP
        known = [(figures[name], label, ours) for name, label, ours in bars if name in figures]
        most = max([figure["max"] for figure, _, _ in known], default=0) or 1
        scale = (_WIDTH - _LEFT - _RIGHT) / most
        for figure, label, ours in known:
            length, middle = max(1.0, figure["median"] * scale), y + _BAR / 2
            low, high = _LEFT + figure["min"] * scale, _LEFT + figure["max"] * scale
            parts += [
                f'<text x="{_LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(label)}</text>',
                f'<rect class="{"ours" if ours else "theirs"}" x="{_LEFT}" y="{y}" width="{length:.1f}" height="{_BAR}"/>',
                f'<path class="spread" d="M{low:.1f} {middle}H{high:.1f}M{low:.1f} {y + 5}v8M{high:.1f} {y + 5}v8"/>',
                f'<text x="{max(_LEFT + length, high) + 8:.1f}" y="{y + 13}">{shown(figure["median"])}</text>',
            ]
            y += _BAR + 4
        y += 6
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" width="{_WIDTH}" height="{y}" role="img">'
    )
    return "\n".join([head, _STYLE, *parts, "</svg>", ""])
