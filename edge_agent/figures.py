"""What Prometheus is told of the agent: a table of what is taken from the status document, and the commits' times.

Labels are words of our own (reasons, lanes, parts), never a device or a topic. docs/ops/metrics.md lists all of them and
a test holds it to this.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

Status = Mapping[str, Any]

LABELS_MAX = 64
"""Values of one label; what is beyond goes under ``other``."""
COMMIT_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Figure(NamedTuple):
    """A metric and its place in the status document. label: the place holds a mapping, its keys are the label's values."""

    name: str
    place: str
    help: str
    label: str = ""
    per: float = 1


COUNTERS = (
    Figure("messages", "counters.messages", "Messages taken from the local broker"),
    Figure("readings", "counters.readings", "Readings decoded"),
    Figure("samples", "counters.samples", "Samples decoded"),
    Figure("repeats", "counters.repeats", "Messages that the local broker delivered again, stored once"),
    Figure(
        "refused", "refused", "Messages that were not taken, by reason; quota_exceeded is a topic's flood", "reason"
    ),
    Figure("commits", "counters.commits", "Group commits to the outbox"),
    Figure("dropped_samples", "given_up", "Samples given up by policy and declared, by reason", "reason"),
    Figure("frames_sent", "counters.frames_sent", "Frames published to the cloud, repetitions included"),
    Figure("frames_sent_again", "counters.frames_sent_again", "Frames whose acknowledgement was late"),
    Figure("frames_acked", "counters.frames_acked", "Frames that the cloud has acknowledged"),
    Figure("conflicts", "counters.conflicts", "Frames under whose number the cloud holds another"),
    Figure("sent_bytes", "counters.bytes_sent", "Bytes of frames published to the cloud"),
    Figure("cloud_sessions", "counters.cloud_sessions", "Sessions with the cloud's broker; more than 1 is a reconnect"),
    Figure("charge_point_calls", "counters.charge_point_calls", "Calls that charge points made"),
    Figure(
        "charge_points_refused",
        "charge_points_refused",
        "Connections and calls of charge points refused, by reason",
        "reason",
    ),
    Figure("local_sessions", "counters.local_sessions", "Sessions with the local broker; more than 1 is a reconnect"),
)
GAUGES = (
    Figure("part_ready", "ready_by_part", "1: the part is as it should be", "part"),
    Figure("cloud_connected", "gauges.cloud_connected", "1: the cloud's broker is there"),
    Figure("local_broker_connected", "gauges.local_broker_connected", "1: the local broker is there"),
    Figure("fenced", "gauges.fenced", "1: another instance of this gateway is alive, this one waits"),
    Figure("oldest_unacked_age_seconds", "gauges.oldest_unacked_age_ms", "Age of the oldest frame not acknowledged", per=1000),
    Figure("buffered_samples", "gauges.buffered_samples", "Samples in frames not acknowledged"),
    Figure("outbox_bytes", "gauges.outbox_bytes", "Bytes of frames in the outbox, acknowledged ones included"),
    Figure("outbox_unacked_bytes", "gauges.outbox_unacked_bytes", "Bytes of frames not acknowledged"),
    Figure("outbox_max_bytes", "gauges.outbox_bytes_max", "The outbox's size cap"),
    Figure("outbox_room_bytes", "gauges.outbox_room_bytes", "What may still come before frames are given up"),
    Figure("outbox_fill_bytes_per_second", "gauges.outbox_fill_bytes_per_s", "Smoothed growth of bytes not acknowledged"),
    Figure("outbox_hours_until_full", "gauges.outbox_hours_until_full", "At the present rate; absent while it does not fill"),
    Figure("intake_waiting_messages", "gauges.intake_waiting_messages", "Messages that wait for their commit"),
    Figure("intake_max_messages", "gauges.intake_messages_max", "As many may wait; then the local broker holds the rest"),
    Figure("window_frames", "gauges.frames_in_flight", "Frames sent and not acknowledged"),
    Figure("window_max_frames", "gauges.window_frames_max", "As many may be in flight"),
    Figure("backlog_frames", "gauges.backlog_frames", "Frames that wait to be sent"),
    Figure("devices", "gauges.devices", "Devices that this gateway reads"),
    Figure("charge_points", "gauges.charge_points", "Charge points that are registered"),
    Figure("charge_points_connected", "gauges.charge_points_connected", "Charge points that are connected"),
    Figure("charging_transactions", "gauges.charging_transactions", "Charging transactions that go on"),
    Figure("clock_sure", "gauges.clock_sure", "1: the cloud has confirmed the time since the machine's start"),
    Figure("clock_error_seconds", "gauges.clock_error_ms", "Bound of the clock's error; absent while never measured", per=1000),
)  # fmt: skip


class Figures(Collector):
    """The tables above, out of the status document, which is asked for at each collection."""

    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        """See prometheus_client."""
        status = self._status()
        for figure in COUNTERS:
            yield _filled(CounterMetricFamily, figure, status)
        for figure in GAUGES:
            yield _filled(GaugeMetricFamily, figure, status)
        build = GaugeMetricFamily("linli_edge_build_info", "The version of the program", labels=["version"])
        build.add_metric([status["version"]], 1)
        yield build


def _filled(family: Any, figure: Figure, status: Status) -> Metric:
    found: Any = status
    for step in figure.place.split("."):
        found = found[step]
    metric: Any = family(f"linli_edge_{figure.name}", figure.help, labels=[figure.label] if figure.label else [])
    if figure.label:
        for value, number in _bounded(found).items():
            metric.add_metric([value], number)
    elif found is not None:
        metric.add_metric([], found / figure.per if figure.per != 1 else float(found))
    return metric  # type: ignore[no-any-return]


def _bounded(numbers: Mapping[str, float]) -> Mapping[str, float]:
    if len(numbers) <= LABELS_MAX:
        return numbers
    kept = dict(list(numbers.items())[: LABELS_MAX - 1])
    return {**kept, "other": sum(numbers.values()) - sum(kept.values())}


def commit_seconds() -> Histogram:
    """How long commits take."""
    return Histogram(
        "linli_edge_commit_seconds",
        "One group commit to the outbox, until it is on disk",
        buckets=COMMIT_S,
        registry=None,
    )


def figures(status: Callable[[], Status], commits: Histogram) -> CollectorRegistry:
    """All that the agent exports."""
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    registry.register(Figures(status))
    registry.register(commits)
    ProcessCollector(registry=registry)
    return registry
