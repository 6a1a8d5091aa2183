"""docs/ops/metrics.md lists what is really exported, and what is exported says the truth."""

import json
import time
from pathlib import Path

from prometheus_client.metrics_core import Metric

from tests.devices import ForeignClient, reading
from tests.integration.ops.exported import TABLE, scraped, table_text
from tests.processes import Site, running_site, wait_for


def test_the_table_is_what_running_programs_export(tmp_path: Path) -> None:
    assert TABLE.read_text(encoding="utf-8") == table_text(tmp_path), "run: make docs"


def value(families: list[Metric], name: str, **labels: str) -> float | None:
    """One sample's value, None when it is not there."""
    for family in families:
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return sample.value
    return None


def edge_metrics(site: Site) -> list[Metric]:
    where = site.agent.status()
    assert where is not None
    address = json.loads((Path(site.agent.settings["LINLI_DATA_DIR"]) / "agent.json").read_text())
    return scraped(f"http://{address['host']}:{address['port']}/metrics")


def test_lag_loss_and_fill_are_told(tmp_path: Path) -> None:
    with running_site(tmp_path) as site, ForeignClient(site.local_broker.port) as client:
        for count in range(200):
            client.send("linli-device/reading/told", reading(count, temperature=20), mark=count)
        client.publish("linli-device/reading/told", b"no json")
        wait_for(lambda: len(client.acked) == 201, "PUBACKs")
        wait_for(site.balanced, "the ledger to balance", 30)
        age = "linli_edge_oldest_unacked_age_seconds"

        def at_rest() -> list[Metric] | None:  # what the gateway says of itself goes north at any time
            found = edge_metrics(site)
            return found if value(found, age) == 0 else None

        edge = wait_for(at_rest, "all that the messages made to be acknowledged", 30)
        assert value(edge, "linli_edge_messages_total") == 201
        assert value(edge, "linli_edge_refused_total", reason="json_invalid") == 1
        assert value(edge, age) == 0
        assert value(edge, "linli_edge_commit_seconds_count") == value(edge, "linli_edge_commits_total")
        assert value(edge, "linli_edge_part_ready", part="clock") == 1
        assert not any("told" in sample.labels.values() for family in edge for sample in family.samples)

        def cloud_knows() -> bool:
            cloud = scraped(f"{site.cloud.url}/metrics")
            return (
                value(cloud, "linli_event_to_stored_seconds_count", projection="telemetry") is not None
                and value(cloud, "linli_projection_behind_frames", projection="telemetry") == 0
                and value(cloud, "linli_gateway_online", gateway=site.gateway) == 1
                and value(cloud, "linli_gateway_buffered_samples", gateway=site.gateway) == 0
                and value(cloud, "linli_ledger_unexplained_samples") == 0
            )

        wait_for(cloud_knows, "the cloud to have it all", 20)
        cloud = scraped(f"{site.cloud.url}/metrics")
        commits = value(cloud, "linli_ingest_commit_seconds_count")
        assert commits and commits <= (value(cloud, "linli_ingest_frames_total") or 0)
        template = "/api/v1/gateways/{gateway_id}/ledger"
        assert value(cloud, "linli_http_request_seconds_count", route=template, status="200")
        assert not any("told" in sample.labels.values() for family in cloud for sample in family.samples)

        # The cloud goes: age and fill grow, the parts say why, and the agent stays ready.
        site.cloud.kill()
        before = time.monotonic()
        client.publish("linli-device/reading/told", reading(1_000))
        wait_for(lambda: (value(edge_metrics(site), "linli_edge_oldest_unacked_age_seconds") or 0) > 0.3, "age to grow")
        edge = edge_metrics(site)
        assert (value(edge, "linli_edge_oldest_unacked_age_seconds") or 0) <= time.monotonic() - before + 0.5
        assert (value(edge, "linli_edge_outbox_unacked_bytes") or 0) > 0
        assert value(edge, "linli_edge_part_ready", part="outbox") == 1
        wait_for(lambda: value(edge_metrics(site), "linli_edge_part_ready", part="cloud") == 0, "the will of ingest")
        status = site.agent.status()
        assert status is not None and "ingest" in status["parts"]["cloud"] and all(status["ready"].values())
