"""Mosquitto from broker_config/: who may write and read what, whose session is whose, and what a SIGHUP ends."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cloud_api.broker_access import gateways_acl
from contracts import topics
from contracts.messages import DESIRED_BYTES_MAX
from tests.brokers import Broker, running_broker
from tests.certificates import CloudCertificates
from tests.integration.broker_access.client import Client, connack, context
from tests.integration.broker_access.rights import GATEWAYS, SERVICES, assert_held
from tests.processes import wait_for


@pytest.fixture
def certificates(tmp_path: Path) -> CloudCertificates:
    return CloudCertificates(tmp_path / "tls")


@pytest.fixture
def broker(tmp_path: Path, certificates: CloudCertificates) -> Iterator[Broker]:
    with running_broker("mosquitto-cloud", tmp_path / "broker", certificates, GATEWAYS) as running:
        yield running


def gateway(broker: Broker, name: str, client_id: str = "", keeps: bool = False) -> Client:
    assert broker.certificates is not None
    identity = broker.certificates.gateways.issue(name)
    return Client(broker.port, context(broker.certificates.broker_ca, identity), client_id or name, keeps=keeps)


def service(broker: Broker, name: str) -> Client:
    assert broker.certificates is not None
    identity = broker.certificates.services.issue(name)
    return Client(broker.service_port, context(broker.certificates.broker_ca, identity), name)


def test_everybody_may_write_and_read_just_what_the_contract_says(broker: Broker) -> None:
    outsiders = ("gw-stranger",)  # a true certificate, but not in the list
    with ExitStack() as stack:
        clients = {name: stack.enter_context(gateway(broker, name)) for name in (*GATEWAYS, *outsiders)}
        strangers = ("health", "not-in-the-list")
        clients |= {name: stack.enter_context(service(broker, name)) for name in (*SERVICES, *strangers)}
        assert_held(clients)


def test_the_brokers_own_figures_are_for_the_cloud_only(broker: Broker) -> None:
    with (
        service(broker, "cloud-api") as cloud,
        service(broker, "health") as health,
        gateway(broker, "gw-a") as one,
        service(broker, "not-in-the-list") as other,
    ):
        for client in (one, other, health, cloud):
            client.subscribe("$SYS/#")
        wait_for(lambda: len(cloud.heard) > 20, "the broker's figures")
        wait_for(lambda: health.heard, "the uptime")
        assert {topic for topic, _ in health.heard} <= {"$SYS/broker/uptime", "$SYS/broker/publish/messages/dropped"}
        cloud.publish(topics.command("gw-a"), "end")
        one.subscribe(topics.command("gw-a"))
        cloud.publish(topics.command("gw-a"), "end")
        wait_for(lambda: one.heard, "the end")
        assert one.heard == [(topics.command("gw-a"), "end")]
        assert not other.heard


def test_another_session_can_not_be_taken(broker: Broker) -> None:
    """The session is the certificate's, whatever client id is claimed."""
    with gateway(broker, "gw-a", keeps=True) as victim:
        victim.subscribe(topics.command("gw-a"))
    with service(broker, "cloud-api") as cloud, gateway(broker, "gw-b", client_id="gw-a", keeps=True) as thief:
        thief.subscribe(topics.command("gw-b"))
        with gateway(broker, "gw-a", keeps=True) as victim:
            cloud.publish(topics.command("gw-a"), "for a")
            cloud.publish(topics.command("gw-b"), "for b")
            wait_for(lambda: victim.heard, "what waited in the session")
            wait_for(lambda: thief.heard, "the thief's own")
            assert victim.heard == [(topics.command("gw-a"), "for a")]
            assert thief.heard == [(topics.command("gw-b"), "for b")]
            assert victim.connected and thief.connected


def test_a_gateway_taken_out_of_the_list_is_silenced_at_once_and_stays_out(
    broker: Broker, certificates: CloudCertificates
) -> None:
    revoked = certificates.gateways.issue("gw-a")
    tls = context(certificates.broker_ca, revoked)
    with (
        service(broker, "ingest-1") as cloud,
        Client(broker.port, tls, "gw-a") as out,
        gateway(broker, "gw-b") as stays,
    ):
        cloud.subscribe(topics.ALL_UP)
        for name, client in (("gw-a", out), ("gw-b", stays)):
            client.subscribe(topics.command(name))
            client.publish(topics.up(name, "bulk"), "before")
            cloud.publish(topics.command(name), "before")
        wait_for(lambda: len(cloud.heard) == 2 and out.heard and stays.heard, "both to work")

        broker.allow("gw-a2", "gw-b")
        certificates.revoke(revoked)
        broker.reload()
        began = time.monotonic()
        for round_ in map(str, range(1_000)):
            out.publish(topics.up("gw-a", "bulk"), round_)
            stays.publish(topics.up("gw-b", "bulk"), round_)  # forwarded after the one before, if that one is at all
            wait_for(lambda mark=round_: (topics.up("gw-b", "bulk"), mark) in cloud.heard, "the other's frame")  # type: ignore[misc]
            if (topics.up("gw-a", "bulk"), round_) not in cloud.heard:
                break
        silent_s = time.monotonic() - began
        assert silent_s < 2, "a gateway that was taken out goes on"
        print(f"silent {silent_s * 1000:.0f} ms after SIGHUP")
        cloud.publish(topics.command("gw-a"), "after")
        cloud.publish(topics.command("gw-b"), "after")
        wait_for(lambda: (topics.command("gw-b"), "after") in stays.heard, "the other's command")
        assert out.heard == [(topics.command("gw-a"), "before")]
        assert out.connected, "the living session itself was not cut: what silences it is the list"
        with pytest.raises(OSError):
            connack(broker.port, tls, "gw-a")
        assert stays.connected


def test_the_list_is_a_block_a_gateway_and_nothing_else() -> None:
    """No patterns: they would outlive the block that is taken out. An id can't smuggle a line in."""
    text = gateways_acl(["gw-b", "gw-a", "gw-a"])
    assert text == gateways_acl(["gw-a", "gw-b"])
    assert [line for line in text.splitlines() if line.startswith("user")] == ["user gw-a", "user gw-b"]
    assert not [line for line in text.splitlines() if line and line.split()[0] not in ("#", "user", "topic")]
    with pytest.raises(ValueError, match="not a gateway's id"):
        gateways_acl(["gw-a\ntopic readwrite #"])


def test_a_desired_state_as_large_as_may_be_reaches_its_gateway(broker: Broker) -> None:
    """Brokers end the session of who sends more than they take: what the registry allows must be less."""
    document = "x" * DESIRED_BYTES_MAX
    with gateway(broker, "gw-a") as reader, service(broker, "cloud-api") as cloud:
        reader.subscribe(topics.desired("gw-a"))
        cloud.publish(topics.desired("gw-a"), document)
        wait_for(lambda: reader.heard, "the document")
        assert reader.heard == [(topics.desired("gw-a"), document)]
        assert cloud.connected
