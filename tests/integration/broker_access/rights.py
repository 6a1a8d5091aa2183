"""Who may write and read what, by the document of the contract and not by the lists under test."""

from pathlib import Path
from typing import Any

import yaml

from contracts import topics
from tests.integration.broker_access.client import Client
from tests.processes import wait_for

GATEWAYS = ("gw-a", "gw-a2", "gw-b")  # one's name begins with another's
SERVICES = ("cloud-api", "ingest-1", "ingest-2")
ASYNCAPI: dict[str, Any] = yaml.safe_load((Path(__file__).parents[3] / "docs" / "asyncapi.yaml").read_text())


def rights() -> dict[str, tuple[set[str], set[str]]]:
    """Topic -> (who may write, who may read); also topics that the contract does not know, which nobody may use."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for operation in ASYNCAPI["operations"].values():
        address = ASYNCAPI["channels"][operation["channel"]["$ref"].rpartition("/")[2]]["address"]
        for gateway in GATEWAYS:
            writers, readers = {gateway}, set(SERVICES)
            if operation["action"] == "receive":
                writers, readers = readers, writers
            if "{gateway}" not in address:
                readers = {*GATEWAYS, *SERVICES}  # a living ingest contradicts the late will of an earlier one
            found[address.replace("{gateway}", gateway)] = writers, readers
    for gateway in GATEWAYS:
        for below in ("other", "up/other", "up/bulk/more", "down/ack/more"):
            found[f"{topics.ROOT}/{gateway}/{below}"] = set(), set()
    # `up/+` lets the cloud hear of a lane that is not there yet; no gateway may use one.
    return {**found, "elsewhere": (set(), set()), f"{topics.ROOT}/gw-nobody/state": (set(), set())}


def assert_held(clients: dict[str, Client], everywhere: str = "#") -> None:
    """Everybody asks for every topic and writes to every topic; what arrives is just what ``rights`` says.

    everywhere  a filter for all topics, where the broker does not end the session of who asks for it
    """
    expected = rights()
    for client in clients.values():
        client.subscribe(*filter(None, [everywhere]), *expected)
    for name, client in clients.items():
        for topic in expected:
            client.publish(topic, name)
    # What the broker forwards to a reader comes in its order: with this, all that comes has come.
    for name in GATEWAYS:
        clients["cloud-api"].publish(topics.command(name), "end")
    clients["gw-a"].publish(topics.state("gw-a"), "end")
    for name in (*GATEWAYS, *SERVICES):
        wait_for(lambda name=name: clients[name].heard[-1:] and clients[name].heard[-1][1] == "end", name)  # type: ignore[misc]
    for name, client in clients.items():
        heard = {(topic, payload) for topic, payload in client.heard if payload != "end"}
        assert heard == {
            (topic, writer) for topic, (writers, readers) in expected.items() if name in readers for writer in writers
        }, name
