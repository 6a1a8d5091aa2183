"""What each figure is, what was aimed at, and, where the aim is missed, what holds it."""

from collections.abc import Callable
from typing import NamedTuple

Figures = dict[str, dict[str, float]]
"""Name -> {median, min, max, runs}."""


class Aim(NamedTuple):
    """A figure of docs/benchmarks.json. aim: as text, "" for none; met: of the median."""

    what: str
    unit: str
    aim: str = ""
    met: Callable[[float], bool] | None = None


AIMS: dict[str, Aim] = {
    "edge_readings_per_s": Aim("sensor publish → outbox committed → in the cloud, agent on one core", "readings/s", "≥ 20,000", lambda v: v >= 20_000),
    "edge_ratio_to_peer": Aim("the same, to thingsboard-gateway's in the same run", "times", "≥ 8", lambda v: v >= 8),
    "edge_cpu_s_per_1k": Aim("the agent's CPU time", "s per 1,000 readings", "≤ 0.05", lambda v: v <= 0.05),
    "edge_cpu_ratio_to_peer": Aim("the same, to thingsboard-gateway's in the same run", "of it", "≤ 0.125", lambda v: v <= 0.125),
    "edge_rss_mb": Aim("the agent's memory after that load", "MB", "≤ 45", lambda v: v <= 45),
    "edge_rss_after_backlog_mb": Aim("the agent's memory with 100,000 readings buffered", "MB", "≤ 45", lambda v: v <= 45),
    "uplink_bytes_per_reading": Aim("bytes on the uplink, a reading of 4 values", "bytes", "≤ 8", lambda v: v <= 8),
    "first_data_s": Aim("first fresh data after the cloud's broker returns", "s", "≤ 2", lambda v: v <= 2),
    "drain_readings_per_s": Aim("backlog of 100,000 readings, from the link's return to the last ack", "readings/s", "≥ 100,000", lambda v: v >= 100_000),
    "cloud_values_per_s": Aim("frames in → logged, stored and queryable, two cores with broker and load", "values/s", "≥ 300,000", lambda v: v >= 300_000),
    "cloud_ratio_to_influx": Aim("the same, to writing to InfluxDB directly in the same run, in its fastest way", "times", "≥ 1.5", lambda v: v >= 1.5),
    "disk_bytes_per_value": Aim("telemetry store on disk", "bytes a value", "≤ 8", lambda v: v <= 8),
    "frame_log_bytes_per_value": Aim("frame log on disk, beside it", "bytes a value"),
    "live_p99_ms": Aim("sensor publish → event in the browser's stream, 2,000 readings/s, 99th percentile", "ms", "≤ 150", lambda v: v <= 150),
    "live_median_ms": Aim("the same, median", "ms"),
    "decode_us_median": Aim("one message through all shipped profiles, median over the vendors' fixtures", "µs", "≤ 12 (a later issue)", lambda v: v <= 12),
}  # fmt: skip

HELD_BY: dict[str, str] = {}
"""For an aim that may be missed: the profile, what was tried, what holds it. Told in the page where the aim is missed."""
