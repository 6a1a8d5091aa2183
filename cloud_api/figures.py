"""What Prometheus is told of the cloud, read at the moment of asking; histograms are filled a batch or a frame at a time.

Labels are words of our own and gateways' ids, never a device or a topic. docs/ops/metrics.md lists all of them and a
test holds it to this.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cloud_api.commands import Commands
from cloud_api.framelog import FrameLog
from cloud_api.ingest import MESSAGES_MAX, GatewayPresence, Ingest
from cloud_api.live import WAITING_MAX, Hub
from cloud_api.projections import OpenFrame, Progress
from cloud_api.survey import Survey

LOOK_S_MAX = 1.0
GATEWAYS_MAX = 2_000
"""Gateways that have lines of their own; the sums count all."""
COMMIT_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
STORED_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200, 43_200, 259_200)


class Times:
    """The histograms that the parts fill: each is given its own measure, none knows Prometheus."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self.commit = Histogram(
            "linli_ingest_commit_seconds",
            "One batch of frames into the frame log, until it is on disk",
            buckets=COMMIT_S,
            registry=None,
        )
        self.stored = Histogram(
            "linli_event_to_stored_seconds",
            "From the event time of a frame's first reading until the projection holds it, one frame a count",
            ("projection",),
            buckets=STORED_S,
            registry=None,
        )

    def applied(self, name: str, frames: Sequence[OpenFrame]) -> None:
        """A projection has taken in these frames."""
        now_ms = self._clock()
        seconds = self.stored.labels(name)
        for frame in frames:
            if frame.columns.groups:
                seconds.observe(max(0, now_ms - frame.columns.groups[0].observed_ms) / 1000)


class IngestFigures(Collector):
    """Of a process that takes frames."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest

    def collect(self) -> Iterable[Metric]:
        """See prometheus_client."""
        ingest, counts = self._ingest, self._ingest.counts
        yield _gauge("linli_ingest_connected", "1: the broker is there", ingest.session.connected)
        yield _gauge("linli_ingest_failing", "1: the frame log can't be written", bool(ingest.failing))
        yield _counter(
            "linli_ingest_sessions", "Sessions with the broker; more than 1 is a reconnect", ingest.session.sessions
        )
        yield _counter("linli_ingest_frames", "Frames stored", counts.frames)
        yield _counter("linli_ingest_samples", "Samples in stored frames", counts.samples)
        yield _counter(
            "linli_ingest_duplicates", "Frames that were there already, with the same bytes", counts.duplicates
        )
        yield _counter("linli_ingest_conflicts", "Frames kept out: their number holds other bytes", counts.conflicts)
        yield _counter("linli_ingest_quarantined", "Frames that can't be read", counts.quarantined)
        yield _counter("linli_ingest_refused_full", "Messages given up as the queue was full", counts.refused_full)
        yield _counter(
            "linli_ingest_refused_shut_out", "Messages of gateways that are shut out", counts.refused_shut_out
        )
        yield _counter(
            "linli_ingest_refused_quota", "Messages not taken as their gateway's line was full", counts.refused_quota
        )
        yield _gauge("linli_ingest_queue_frames", "Messages that wait for their commit", ingest.queued)
        yield _gauge("linli_ingest_queue_max_frames", "As many may wait; more are sent again", MESSAGES_MAX)
        yield _gauge("linli_ingest_asking", "Gateways that wait for an answer", ingest.asking)


class Figures(Collector):
    """Of a process that serves: everything that is counted elsewhere."""

    def __init__(
        self,
        version: str,
        clock: Callable[[], int],
        presence: GatewayPresence,
        hub: Hub,
        commands: Commands,
        progress: Progress,
        survey: Survey,
        framelog: FrameLog,
    ) -> None:
        self._version = version
        self._clock = clock
        self._presence = presence
        self._hub = hub
        self._commands = commands
        self._progress = progress
        self._survey = survey
        self._framelog = framelog
        self._end = 0

    async def look(self) -> None:
        """Before ``collect``: what has to be waited for. A frame log that does not answer leaves its last word."""
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(LOOK_S_MAX):
                self._end = await self._framelog.last_position()

    def collect(self) -> Iterable[Metric]:
        """See prometheus_client."""
        yield _gauge("linli_cloud_build_info", "The version of the program", {self._version: 1}, "version")
        yield from self._projected()
        yield from self._gateways()
        yield _gauge(
            "linli_ledger_unexplained_samples",
            "Samples that no one can account for, over all gateways; must be 0",
            sum(self._survey.unexplained.values()),
        )
        yield _gauge(
            "linli_ledger_dropped_samples", "Samples that were given up and declared, by reason",
            self._survey.dropped, "reason",
        )  # fmt: skip
        yield _gauge("linli_live_watchers", "Live streams open", self._hub.watchers)
        yield _gauge("linli_live_waiting_events", "Events that wait for the slowest watcher", self._hub.waiting)
        yield _gauge("linli_live_waiting_max_events", "A watcher for whom more wait starts over", WAITING_MAX)
        yield _counter("linli_live_overflows", "Watchers that were too slow and started over", self._hub.overflows)
        yield _gauge("linli_commands_open", "Commands that have not ended, by state", self._survey.commands, "state")
        yield _counter(
            "linli_command_changes", "Commands that came to a state, since the start", self._commands.changes, "state"
        )

    def _projected(self) -> Iterable[Metric]:
        end, now_ms = self._end, self._clock()
        places = self._progress.places
        yield _gauge("linli_framelog_position", "Position of the newest frame in the frame log", end)
        yield _gauge(
            "linli_projection_cursor", "Position of the newest frame in the projection",
            {name: place.position for name, place in places.items()}, "projection",
        )  # fmt: skip
        behind = {name: max(0, end - place.position) for name, place in places.items()}
        yield _gauge("linli_projection_behind_frames", "Frames that it has not taken in yet", behind, "projection")
        yield _gauge(
            "linli_projection_age_seconds", "How long ago its newest frame came; 0 when it is not behind",
            {name: (now_ms - place.received_ms) / 1000 if behind[name] and place.received_ms else 0
             for name, place in places.items()}, "projection",
        )  # fmt: skip
        yield _gauge(
            "linli_projection_failing", "1: it stands still, see /readyz",
            {name: bool(place.failing) for name, place in places.items()}, "projection",
        )  # fmt: skip

    def _gateways(self) -> Iterable[Metric]:
        presence = self._presence
        known = presence.known()
        yield _gauge("linli_gateways_known", "Gateways that were ever heard of", len(known))
        yield _gauge("linli_gateways_online", "Gateways online", presence.count_online())
        yield _gauge(
            "linli_gateways_twice", "Gateways there twice in the last quarter of an hour", presence.count_twins()
        )
        yield _gauge("linli_gateways_up_only", "Gateways that are heard and hear nothing", presence.count_up_only())
        states = {
            name: state for name in known[:GATEWAYS_MAX] if (state := presence.state(name)) and state.outbox_bytes_max
        }
        now_ms = self._clock()
        each: dict[str, tuple[str, Callable[[str, Any], float | None]]] = {
            "online": ("1: it is there", lambda name, state: presence.online(name)),
            "silent_seconds": ("How long it was not heard", lambda name, state: _ago(presence.last_seen_ms(name), now_ms)),
            "outbox_bytes": ("Its outbox, by its last word", lambda name, state: state.outbox_bytes),
            "outbox_max_bytes": ("Its outbox's size cap", lambda name, state: state.outbox_bytes_max),
            "outbox_hours_until_full": (
                "By its last word; absent while it does not fill", lambda name, state: state.outbox_hours_until_full,
            ),
            "buffered_samples": (
                "Samples it had not got acknowledged, by its last word",
                lambda name, state: sum(lane.buffered for lane in state.lanes),
            ),
            "clock_error_seconds": (
                "Bound of its clock's error; absent while never measured",
                lambda name, state: state.clock_error_ms / 1000 if state.clock_error_ms >= 0 else None,
            ),
            "unexplained_samples": (
                "Samples that no one can account for; must be 0",
                lambda name, state: self._survey.unexplained.get(name),
            ),
        }  # fmt: skip
        for suffix, (text, value) in each.items():
            found = {name: number for name, state in states.items() if (number := value(name, state)) is not None}
            yield _gauge(f"linli_gateway_{suffix}", text, found, "gateway")


def _ago(at_ms: int | None, now_ms: int) -> float | None:
    return None if at_ms is None else max(0, now_ms - at_ms) / 1000


def _gauge(name: str, text: str, value: float | Mapping[str, float], label: str = "") -> Metric:
    return _filled(GaugeMetricFamily(name, text, labels=[label] if label else None), value)


def _counter(name: str, text: str, value: float | Mapping[str, float], label: str = "") -> Metric:
    return _filled(CounterMetricFamily(name, text, labels=[label] if label else None), value)


def _filled(family: Any, value: float | Mapping[str, float]) -> Metric:
    if isinstance(value, Mapping):
        for word, number in value.items():
            family.add_metric([word], number)
    else:
        family.add_metric([], value)
    return family  # type: ignore[no-any-return]


def registry_of(times: Times, *figures: Collector) -> CollectorRegistry:
    """All that a process exports, without what the HTTP application adds."""
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    for collector in (*figures, times.commit, times.stored):
        registry.register(collector)
    ProcessCollector(registry=registry)
    return registry
