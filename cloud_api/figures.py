"""What Prometheus is told of the cloud, read at the moment of asking."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cloud_api.ingest import GatewayPresence, Ingest
from cloud_api.live import Hub


class IngestFigures(Collector):
    """Of a process that takes frames."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest

    def collect(self) -> Iterable[Metric]:
        """See prometheus_client."""
        for name, value in asdict(self._ingest.counts).items():
            yield CounterMetricFamily(f"linli_ingest_{name}", f"Ingest since its start: {name}", value=value)
        yield GaugeMetricFamily("linli_ingest_connected", "Broker is there", value=self._ingest.session.connected)
        yield GaugeMetricFamily("linli_ingest_queued", "Frames that wait for commit", value=self._ingest.queued)
        yield GaugeMetricFamily("linli_ingest_asking", "Gateways that wait for an answer", value=self._ingest.asking)


class Figures(Collector):
    """Of a process that serves. cursors: projection -> the position of the last frame in it."""

    def __init__(self, presence: GatewayPresence, hub: Hub, cursors: Mapping[str, int]) -> None:
        self._presence = presence
        self._hub = hub
        self._cursors = cursors

    def collect(self) -> Iterable[Metric]:
        """See prometheus_client."""
        yield GaugeMetricFamily("linli_gateways_online", "Gateways online", value=self._presence.count_online())
        yield GaugeMetricFamily(
            "linli_gateways_twice", "Gateways that are there twice", value=self._presence.count_twins()
        )
        yield GaugeMetricFamily(
            "linli_gateways_up_only", "Gateways that are heard and hear nothing", value=self._presence.count_up_only()
        )
        yield GaugeMetricFamily("linli_live_watchers", "Live streams open", value=self._hub.watchers)
        cursor = GaugeMetricFamily("linli_projection_cursor", "Position in the frame log", labels=("projection",))
        for name, position in self._cursors.items():
            cursor.add_metric((name,), position)
        yield cursor
