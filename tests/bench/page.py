"""docs/benchmarks.md out of the figures."""

from collections.abc import Mapping

from tests.bench.figures import AIMS, HELD_BY, Figures

_COMPARED = {
    "edge": "Linli's agent",
    "secured": "with everything on",
    "peer": "thingsboard-gateway",
    "bridge": "Mosquitto as a bridge",
}
_ROWS = {
    "readings_per_s": "readings/s through to the north",
    "cpu_s_per_1k": "CPU s per 1,000 readings, at that rate",
    "cpu_s_per_1k_at_500": "CPU s per 1,000 readings, at 500 readings/s",
    "rss_mb": "memory after it, MB",
    "uplink_bytes_per_reading": "payload bytes on the uplink a reading",
    "outage_rss_growth_mb": "growth of memory in the outage, MB",
    "outage_first_data_s": "first data after the north's return, s",
    "outage_all_data_s": "all of the outage's 10,000 readings, s after the return",
    "outage_lost": "readings lost in the outage",
    "outage_repeated": "readings that came twice after it",
    "killed_lost": "of 10,000 readings, lost by kill -9",
}
_WAYS = {
    "cloud_values_per_s": "Linli: broker, ingest, frame log, DuckDB, live state",
    "influx_lines_by_reading_values_per_s": "InfluxDB: a line a reading, one writer",
    "influx_lines_by_reading_two_writers_values_per_s": "InfluxDB: a line a reading, two writers",
    "influx_lines_by_value_values_per_s": "InfluxDB: a line a value",
    "influx_points_by_reading_values_per_s": "InfluxDB: the client's points, one a reading",
}

_METHOD = """\
## How it is measured

Everything is real: brokers with files on disk, programs as processes, PUBACKs and acknowledgements awaited. Each round
runs everything once, so what is compared ran in the same minutes of the same machine; ratios are made within a round.
A virtual machine is noisy: look at the spread, and trust the ratios more than the figures.

**Edge.** All three get the same bytes: messages of 150 bytes of JSON with four values, of 100 devices, QoS 1, from a raw
socket with at most 2,000 without their PUBACK. The program under test has a core to itself with all its threads; brokers,
the north, the load and what counts share the other. Linli and thingsboard-gateway read the same local broker (NATS
server, files on disk, a persistent session); the Mosquitto bridge is broker and program in one, so its core does both.
A reading counts when it is in the north: for Linli when its frame is in the cloud's frame log, for the others when a
subscriber of the north's broker (Mosquitto) has it, which keeps its session while the broker is away. In order:

1. 2,000 readings to warm up, then as many as the window lets through, until the last is in the north.
2. 500 readings/s for 8 s.
3. The north's broker ends; 500 readings/s for 20 s; it is there again.
4. The north's broker ends; 10,000 readings as fast as they go; one second later the program is killed (kill -9), the
   north returns, the program starts again. What has not come when nothing came for 25 s is lost.

thingsboard-gateway {peer} is set to its best: SQLite storage (its only one that keeps data), batches of 1,000, no rate
limits, no statistics, no pause between packs, 64 KB packs, logs at warning, and its cheapest mapping, which takes the
whole object as it is (four mapped keys cost it three times as much; Linli maps all four). The bridge: unlimited queues,
a retry every second, its store written every second (writing it with every change makes it sixteen times slower).

"With everything on" is the agent as an installer brings it in: by a claim, over TLS 1.2 or newer with a certificate of its
own, at a broker with access lists by certificate; desired states and commands signed and checked. The others speak plain text.

**Cloud.** 300,000 readings (1.2 million values of 200 devices) in frames of 500, published by a client to the broker, both
on the same two cores as the cloud, until they are in the frame log and in DuckDB. InfluxDB 1.x (Debian's) gets the same
values with its own client, gzip, 5,000 lines a write, in four ways; the ratio is to the fastest of them.

**Live.** Sensors publish 2,000 readings/s; the delay is from the publish to the event in a browser's stream, brokers,
agent, cloud and that reader on two cores.
"""


def page_of(figures: Figures, about: Mapping[str, str]) -> str:
    """The page."""
    lines = [
        "# Benchmarks", "",
        f"Made by `make bench` on {about['date']} from commit `{about['commit'][:12]}`: {about['machine']}, mean load of "
        f"the last quarter of an hour {about['load']}. Medians; all figures: [benchmarks.json](benchmarks.json).", "",
        "| what | median | least … most | aim | met |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for name, (what, unit, aim, met) in AIMS.items():
        figure = figures.get(name)
        if figure is None:
            lines.append(f"| {what} (`{name}`) | not measured | | {aim} | **no** |")
            continue
        verdict = "" if met is None else "yes" if met(figure["median"]) else "**no**"
        lines.append(f"| {what} (`{name}`) | {shown(figure['median'])} {unit} | {spread(figure)} | {aim} | {verdict} |")
    lines += ["", *_missed(figures), *_edge(figures), *_cloud(figures), _METHOD.replace("{peer}", about["peer"])]
    return "\n".join(lines)


def _missed(figures: Figures) -> list[str]:
    missed = [
        name
        for name, (_, _, _, met) in AIMS.items()
        if met is not None and name in figures and not met(figures[name]["median"])
    ]
    lines = []
    for name in missed:
        text = HELD_BY.get(name, "not looked into yet.")
        lines += [f"**Missed: `{name}`.** {text}", ""]
    return lines


def _edge(figures: Figures) -> list[str]:
    lines = [
        "## The same work through the peers", "", "![Edge compared](benchmarks-edge.svg)", "",
        f"| median (least … most) | {' | '.join(_COMPARED.values())} |", f"|{'---|' * (len(_COMPARED) + 1)}",
    ]  # fmt: skip
    for row, what in _ROWS.items():
        cells = []
        for name in _COMPARED:
            figure = figures.get(f"{name}_{row}") or (figures.get(row) if name == "edge" else None)
            cells.append(f"{shown(figure['median'])} ({spread(figure)})" if figure else "not measured")
        lines.append(f"| {what} | {' | '.join(cells)} |")
    return [*lines, ""]


def _cloud(figures: Figures) -> list[str]:
    lines = [
        "## The cloud's path and InfluxDB alone", "", "![Cloud compared](benchmarks-cloud.svg)", "",
        "| values/s, two cores | median | least … most |", "|---|---|---|",
    ]  # fmt: skip
    for name, what in _WAYS.items():
        if figure := figures.get(name):
            lines.append(f"| {what} | {shown(figure['median'])} | {spread(figure)} |")
    return [*lines, ""]


def spread(figure: Mapping[str, float]) -> str:
    """Least and most."""
    return f"{shown(figure['min'])} … {shown(figure['max'])}"


def shown(value: float) -> str:
    """A figure with three digits that matter."""
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"
