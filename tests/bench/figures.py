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
    "secured_readings_per_s": Aim("`edge_readings_per_s` with everything on: TLS with a certificate from a claim, access lists, signed states", "readings/s", "≥ 20,000", lambda v: v >= 20_000),
    "secured_cpu_s_per_1k": Aim("the agent's CPU time then", "s per 1,000 readings", "≤ 0.05", lambda v: v <= 0.05),
    "secured_rss_mb": Aim("the agent's memory then", "MB", "≤ 45", lambda v: v <= 45),
    "secured_readings_ratio": Aim("readings/s with everything on, to those without in the same run", "of it"),
    "secured_cpu_ratio": Aim("the agent's CPU time with everything on, to that without in the same run", "of it"),
    "seal_us": Aim("cost of a command's signature", "µs"),
    "check_seal_us": Aim("cost of the look at it, at the gateway", "µs"),
    "request_for_everybody_ms": Aim("a request that anybody may make, in the process", "ms"),
    "request_with_token_ms": Aim("one that asks whose token it is and what he may see, and reads the registry", "ms"),
    "change_with_audit_ms": Aim("one that changes something, with its entry in the audit on disk", "ms"),
    "drain_readings_per_s": Aim("backlog of 100,000 readings, from the link's return to the last ack", "readings/s", "≥ 100,000", lambda v: v >= 100_000),
    "cloud_values_per_s": Aim("frames in → logged, stored and queryable, two cores with broker and load", "values/s", "≥ 300,000", lambda v: v >= 300_000),
    "cloud_ratio_to_influx": Aim("the same, to writing to InfluxDB directly in the same run, in its fastest way", "times", "≥ 1.5", lambda v: v >= 1.5),
    "disk_bytes_per_value": Aim("telemetry store on disk", "bytes a value", "≤ 8", lambda v: v <= 8),
    "frame_log_bytes_per_value": Aim("frame log on disk, beside it", "bytes a value"),
    "live_p99_ms": Aim("sensor publish → event in the browser's stream, 2,000 readings/s, 99th percentile", "ms", "≤ 150", lambda v: v <= 150),
    "live_median_ms": Aim("the same, median", "ms"),
    "decode_us_median": Aim("one message through all shipped profiles, median over the vendors' fixtures", "µs", "≤ 12", lambda v: v <= 12),
}  # fmt: skip

HELD_BY: dict[str, str] = {
    "edge_readings_per_s": (
        "The agent's core has time left (`edge_cpu_s_per_1k` says how much: 0.025 is 40,000 readings/s); the other core, "
        "which carries both brokers, the cloud, the load and its counting, is the narrow one: of its time the local broker "
        "takes about half (each reading is written to its file, handed over and acknowledged), the cloud under a third. In the "
        "agent decoding takes about three quarters, framing and commit a fifth, parsing MQTT the rest. Done: old deliveries are forgotten "
        "by commits (finding the first key of a dict that shrinks from its front took half of each commit), garbage is looked "
        "for less often (a seventh)."
    ),
    "edge_ratio_to_peer": "As for `edge_readings_per_s`: the core beside the agent's is full, which the peer never fills.",
    "edge_rss_mb": (
        "44 MB are imports: Python with asyncio, ssl and SQLite 21, paho, aiomqtt, prometheus_client and yaml 7, cryptography, which "
        "checks signatures and renews certificates, 9, websockets for charge points 2, the agent itself 5. Then 5 for the compiled "
        "profiles, the rest readings between broker and disk. Without cryptography it was 43 MB. Done: waves of 64 KB and at most 600 "
        "messages that wait for their commit (2.5 MB less), one malloc arena, no importlib.metadata. Left: an MQTT client of our own "
        "in the north (4 MB), charge points and renewals imported where a site has them."
    ),
    "edge_rss_after_backlog_mb": "As for `edge_rss_mb`; the backlog itself is on disk.",
    "secured_readings_per_s": "As for `edge_readings_per_s`, and TLS at the agent and at the cloud's broker.",
    "secured_rss_mb": "As for `edge_rss_mb`, and TLS with its certificates.",
    "first_data_s": (
        "Up to 1.5 s are the pause between two attempts (full jitter, `reconnect_s_max`), which keeps a thousand gateways from "
        "coming back at once; the rest is the start of broker and ingest, and the question to the cloud what it holds."
    ),
    "drain_readings_per_s": (
        "The cloud's Python holds it, not the link: a frame of 500 readings costs it about 0.4 ms to check, 1.3 ms to bring into "
        "DuckDB and 1.2 ms into the live state (CPU time, on a busy machine), in one process. Done: the live state takes a frame's latest values by device (a "
        "third of the time), the agent writes acknowledgements of 100 ms together (each write waits for the disk)."
    ),
    "cloud_values_per_s": "As for `drain_readings_per_s`, with broker and load on the same two cores.",
    "cloud_ratio_to_influx": "As for `cloud_values_per_s`. InfluxDB gets its values without a broker and without a log before it.",
    "live_p99_ms": (
        "What adds up: up to 25 ms of waiting for company before the edge commits, three fsyncs one after another (local broker, "
        "outbox, frame log), and the cloud's one interpreter, in which checking, DuckDB (a checkpoint stalls it 50 to 90 ms) and the "
        "live state take turns with the stream. Done: the live state takes a third of the time for a frame. Not tried: ingest and "
        "DuckDB in processes of their own."
    ),
    "decode_us_median": (
        "The interpreter, evenly: of a JSON message of 240 bytes with five values a quarter is reading the JSON and looking for keys "
        "that stand twice, a quarter what every message costs (guard, envelope, reading), half the values, 0.6 to 1 µs each. Done: "
        "texts, numbers in texts and values in their own unit take a short way, names are gathered only for who asks for them, flat "
        "documents are not written again (a JSON message costs 0.7 to 0.9 of what it did). Left: code made for each profile, which would "
        "be text that is executed."
    ),
}  # fmt: skip
"""For an aim that may be missed: the profile, what was tried, what holds it. Told in the page where the aim is missed."""
