"""Real packets lost by nft in a network namespace, between agent and cloud: TCP's own troubles, not a proxy's."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from edge_agent.uplink.session import KEEPALIVE_S
from tests.faultproxy import FaultProxy
from tests.faults import OUTAGE_S
from tests.faults.namespaces import Namespace, running_namespace
from tests.faults.test_kills import Load, assert_stored_once
from tests.faults.test_links import gateway, gauge
from tests.processes import Site, wait_for


@contextmanager
def distant_site(folder: Path, **agent: str) -> Iterator[tuple[Site, Namespace, int]]:
    """A site whose agent is in a namespace: (site, namespace, the port of the cloud's broker as seen from there).

    Brokers listen on loopback only, so a relay carries their connections to the near end of the link.
    """
    with ExitStack() as stack:
        namespace = stack.enter_context(running_namespace())
        site = Site(folder, **agent)
        relays = [FaultProxy(port, host=namespace.near) for port in (site.cloud_broker.port, site.local_broker.port)]
        for relay in relays:
            relay.start()
            stack.callback(relay.stop)
        site.agent.prefix = namespace.prefix
        site.agent.settings |= {
            "LINLI_CLOUD_MQTT_PLAIN": "true",
            "LINLI_CLOUD_MQTT_HOST": namespace.near, "LINLI_CLOUD_MQTT_PORT": str(relays[0].port),
            "LINLI_LOCAL_MQTT_HOST": namespace.near, "LINLI_LOCAL_MQTT_PORT": str(relays[1].port),
            "LINLI_HEALTH_HOST": namespace.far,
        }  # fmt: skip
        for part in (site.cloud_broker, site.local_broker):
            stack.callback(part.stop)
        for program in (site.cloud, site.agent):
            stack.callback(lambda each=program: each.stop() if each.alive else None)
        site.start()
        yield site, namespace, relays[0].port


@pytest.mark.long
def test_a_third_of_all_packets_lost(tmp_path: Path) -> None:
    """F13: 30 % of the packets in each direction."""
    with distant_site(tmp_path) as (site, namespace, port):
        namespace.lose(port, 30)
        load = Load(site.local_broker.port, "kills")
        before, began = site.cloud.ledger(site.gateway)["stored"], time.monotonic()
        wait_for(lambda: load.sent > 2_400, "twelve seconds of load", 30)
        stored = site.cloud.ledger(site.gateway)["stored"] - before
        lost, took_s = namespace.lost(), time.monotonic() - began
        print(f"30 % loss: {lost} packets lost, {stored / 2 / took_s:.0f} of 200 readings/s arrived meanwhile")
        assert lost > 20, "nothing was lost on the way"
        assert stored > 0, "nothing came through"
        acked = load.stop()
        namespace.lose(port, 0)
        assert_stored_once(site, "kills", acked)


@pytest.mark.long
def test_a_partition_without_a_word(tmp_path: Path) -> None:
    """F12, F11 on packets: the link is cut without FIN or RST, and heals."""
    with distant_site(tmp_path, LINLI_HEARTBEAT_S="5") as (site, namespace, port):
        load = Load(site.local_broker.port, "kills")
        wait_for(lambda: load.sent > 200 and gateway(site)["online"], "the gateway to be online")
        namespace.lose(port, 100)
        began = time.monotonic()
        wait_for(lambda: not gateway(site)["online"], "the gateway to be offline", 1.5 * KEEPALIVE_S)
        offline_s = time.monotonic() - began
        wait_for(lambda: time.monotonic() - began > OUTAGE_S, "the outage", 2 * OUTAGE_S, 0.2)
        assert namespace.lost() > 5, "nothing was lost"
        assert gauge(site, "buffered_samples") > 1_000
        namespace.lose(port, 0)
        began = time.monotonic()
        wait_for(lambda: gateway(site)["online"], "the gateway to be back", 40)
        print(f"offline after {offline_s:.1f} s, back {time.monotonic() - began:.1f} s after the link")
        assert_stored_once(site, "kills", load.stop())


@pytest.mark.long
def test_one_direction_of_packets_only(tmp_path: Path) -> None:
    """F17 on packets: what the cloud sends is lost, TCP's own acknowledgements too.

    So TCP soon sends nothing new either, and the gateway can tell the cloud only what fits into its first segments: the
    gateway itself names the direction, the cloud shows at least that it is gone.
    """
    with distant_site(tmp_path, LINLI_RESEND_AFTER_MS="2000") as (site, namespace, port):
        load = Load(site.local_broker.port, "kills")
        wait_for(lambda: load.sent > 200, "some load")
        namespace.lose(port, 100, "down")
        wait_for(
            lambda: (site.agent.status() or {})["cloud"]["link"] == "silent", "the gateway to name the direction", 15
        )
        wait_for(lambda: gateway(site)["link"] != "both", "the cloud to notice", 1.5 * KEEPALIVE_S)
        assert namespace.lost() > 3, "nothing was lost"
        assert gauge(site, "buffered_samples") > 0, "frames were let go without an acknowledgement"
        namespace.lose(port, 0)
        wait_for(lambda: gateway(site)["link"] == "both", "a whole link again", 40)
        assert_stored_once(site, "kills", load.stop())
