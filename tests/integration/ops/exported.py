"""What both programs really export, asked of running ones; ``python -m tests.integration.ops.exported`` writes the table."""

import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from cloud_api.identity.making import make_installation
from tests.brokers import free_port
from tests.processes import CloudApi, EdgeAgent, Program, get_json, wait_for

TABLE = Path(__file__).parents[3] / "docs" / "ops" / "metrics.md"
OPENING = """\
# Metrics

Everything that the two programs tell Prometheus, in the order in which they tell it. Made by `make docs` from what running
programs export; a test holds it to them.

- The agent: `http://127.0.0.1:PORT/metrics` on the gateway. Set `LINLI_HEALTH_HOST` and `LINLI_HEALTH_PORT`; without a port
  it takes a free one and writes it to `agent.json` in its data folder.
- The cloud: `/metrics` at the root of `cloud-api serve`.
- Times are seconds, sizes bytes. Names that end in `_total` count from the program's start. A histogram has
  `_bucket`, `_sum` and `_count`.
- Labels are words of our own (`reason`, `part`, `projection`, `state`, `route`, `method`, `status`, `version`) and, in the
  cloud, gateways' ids (`gateway`, 2,000 at most), never a device or a topic.
- Lag, age and loss are measured a batch or a frame at a time: metrics cost a message nothing.
"""


def scraped(url: str) -> list[Metric]:
    """The families of a page of metrics."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return list(text_string_to_metric_families(answer.read().decode()))


@contextmanager
def programs(folder: Path) -> Iterator[tuple[str, str]]:
    """Both programs, with no broker at all: they serve their metrics nevertheless. Yields the two addresses."""
    nobody = free_port()
    edge = EdgeAgent("gw-metrics-1", folder / "edge", nobody, nobody)
    make_installation(folder / "installation", ["127.0.0.1"], datetime.now(UTC))
    authority, broker = folder / "installation" / "gateways" / "authority", folder / "installation" / "broker"
    cloud = CloudApi(
        folder / "cloud", nobody, LINLI_AUTHORITY_CERT=f"{authority}.pem", LINLI_AUTHORITY_KEY=f"{authority}.key",
        LINLI_GATEWAY_MQTT_CA=str(broker / "services-ca.pem"),
    )  # fmt: skip
    started: list[Program] = [edge, cloud]
    try:
        for program in started:
            program.start()
        wait_for(lambda: edge.status(), "the agent's status")
        where = get_json((Path(edge.settings["LINLI_DATA_DIR"]) / "agent.json").as_uri())

        def serves() -> bool:
            try:
                return bool(get_json(f"{cloud.url}/healthz"))
            except OSError:
                return False

        wait_for(serves, "cloud-api to serve", 20)
        yield f"http://127.0.0.1:{where['port']}/metrics", f"{cloud.url}/metrics"
    finally:
        for program in started:
            program.stop()


def shown_name(metric: Metric) -> str:
    """As it is queried."""
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


def table_text(folder: Path) -> str:
    """docs/ops/metrics.md as it must be."""
    parts = [OPENING.rstrip()]
    with programs(folder) as urls:
        for title, url in zip(("The agent", "The cloud"), urls, strict=True):
            parts += [f"\n## {title}\n", "| metric | type | meaning |", "|---|---|---|"]
            parts += [f"| `{shown_name(each)}` | {each.type} | {each.documentation} |" for each in scraped(url)]
    return "\n".join(parts) + "\n"


def documented() -> dict[str, str]:
    """Every name in the table -> its type."""
    rows = [line.split(" | ") for line in TABLE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    return {row[0].strip("| `"): row[1] for row in rows}


def main() -> None:
    """Write the table."""
    with tempfile.TemporaryDirectory() as folder:
        TABLE.write_text(table_text(Path(folder)), encoding="utf-8")


if __name__ == "__main__":
    main()
