"""Commands end to end, with a device that the test plays itself."""

import json
import urllib.error
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from threading import Barrier
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts import topics
from contracts.messages import Command, DesiredState
from contracts.signature import seal
from tests.devices import ForeignClient
from tests.letting_in import PASSWORD, post
from tests.processes import Site, running_site, wait_for

SET = "linli-device/valve/main/set"
STATE = "linli-device/valve/main/state"


class Valve(ForeignClient):
    """A water valve that does as it is told, and counts."""

    def __init__(self, port: int, obeys: bool = True) -> None:
        super().__init__(port, "valve-main")
        self.acts: list[bool] = []
        self.obeys = obeys
        self.say(True)
        self.listen(SET, self.told)

    def told(self, topic: str, payload: bytes) -> None:
        wanted = json.loads(payload)["valve_open"]
        self.acts.append(wanted)
        if self.obeys:
            self.say(wanted)

    def say(self, is_open: bool) -> None:
        self.send(STATE, json.dumps({"valve_open": is_open, "water_flow": 0.1}).encode())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """For tests that leave it as it was."""
    with running_site(tmp_path_factory.mktemp("site")) as site:
        yield site


def valve_id(site: Site) -> str:
    """The valve's id, once it is there and shown as what it is: a selection holds what is shown."""
    device = str(wait_for(lambda: site.cloud.device("main"), "the valve to be adopted")["id"])
    wait_for(lambda: "valve_open" in site.cloud.get(f"devices/{device}/state")["metrics"], "the valve's state")
    return device


def order(site: Site, device: str, verb: str, key: str, **body: Any) -> dict[str, Any]:
    status, command = site.cloud.order(device, key, verb, **body)
    assert status == 202, command
    return dict(command)


def reached(site: Site, command: dict[str, Any], *states: str, deadline_s: float = 15) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        now = site.cloud.get(f"commands/{command['id']}")
        return now if now["state"] in states else None

    return wait_for(look, f"{command['verb']} to be {' or '.join(states)}", deadline_s)


def test_a_command_is_confirmed_by_its_effect_and_acts_once(site: Site) -> None:
    with Valve(site.local_broker.port) as valve:
        device = valve_id(site)
        first = order(site, device, "close_valve", "key-1")
        again = order(site, device, "close_valve", "key-1")
        assert again["id"] == first["id"]
        done = reached(site, first, "confirmed")
        passed = [step["state"] for step in done["transitions"]]
        assert [state for state in passed if state in ("queued", "sent", "received", "executing", "succeeded")] == [
            "queued", "sent", "received", "executing", "succeeded",
        ]  # fmt: skip
        assert valve.acts == [False]
        # The same key for something else is refused.
        status, problem = site.cloud.order(device, "key-1", "open_valve")
        assert status == 409
        assert problem["type"].endswith("idempotency_key_reused")


def test_a_command_whose_time_is_over_expires_and_never_acts(tmp_path: Path) -> None:
    with running_site(tmp_path) as site, Valve(site.local_broker.port) as valve:
        device = valve_id(site)
        site.agent.stop()
        wait_for(lambda: not site.cloud.get(f"gateways/{site.gateway}")["online"], "the gateway to be offline")
        late = order(site, device, "close_valve", "late", ttl_ms=1_000)
        assert late["state"] == "queued"
        assert reached(site, late, "expired")["reason"]
        site.agent.start()
        site.agent.wait_ready(cloud=True)
        # A later command gets through, so an earlier one would have.
        reached(site, order(site, device, "open_valve", "after"), "confirmed")
        assert valve.acts == [True]
        assert site.cloud.get(f"commands/{late['id']}")["state"] == "expired"


@pytest.mark.long
def test_a_device_that_does_not_answer_fails_the_command(tmp_path: Path) -> None:
    with running_site(tmp_path) as site, Valve(site.local_broker.port, obeys=False) as valve:
        done = reached(site, order(site, valve_id(site), "close_valve", "deaf"), "failed", deadline_s=25)
        assert done["reason"] == "no_answer"
        assert valve.acts == [False]


@pytest.mark.long
def test_killed_between_act_and_record_is_unknown_and_never_repeated(tmp_path: Path) -> None:
    with running_site(tmp_path) as site, Valve(site.local_broker.port, obeys=False) as valve:
        device = valve_id(site)
        site.agent.stop()
        site.agent.start(LINLI_CRASH_AT="after_act")
        site.agent.wait_ready(cloud=True)
        command = order(site, device, "close_valve", "crash")
        wait_for(lambda: not site.agent.alive, "the agent to die after the act")
        wait_for(lambda: valve.acts, "the act")
        site.agent.start()
        site.agent.wait_ready(cloud=True)
        assert reached(site, command, "unknown")["reason"] == "agent_restarted"
        reached(site, order(site, device, "open_valve", "next"), "failed", deadline_s=25)
        assert valve.acts == [False, True], "it acted twice"


class Operator:
    """Somebody with a session of their own."""

    def __init__(self, site: Site, name: str) -> None:
        self._url = site.cloud.url
        grants = [{"role": "property_manager", "community_id": None}]
        invited = site.cloud.send("POST", "invitations", {"grants": grants})[1]
        accepted = {"code": invited["code"], "name": name, "password": PASSWORD}
        session, self._cookie = post(self._url, "invitations/accept", accepted)
        self.id = session["user_id"]

    def order(self, device: str, verb: str, key: str) -> str:
        """Both steps. Returns the command's id, "" when the valve moved in between."""
        wanted = {"verb": verb, "args": {}}
        try:
            selection, _ = post(self._url, f"devices/{device}/selections", wanted, Cookie=self._cookie)
            body, key_of = {**wanted, "selection": selection["id"]}, {"Idempotency-Key": key}
            return str(post(self._url, f"devices/{device}/commands", body, Cookie=self._cookie, **key_of)[0]["id"])
        except urllib.error.HTTPError as error:
            assert (error.code, json.load(error)["type"].rpartition("/")[2]) == (409, "state_changed")
            return ""


def test_two_people_say_the_opposite_at_the_same_time(site: Site) -> None:
    """F43: one after the other, each with a result of its own, and the audit knows who wanted what."""
    rounds = 4
    together = Barrier(2)
    with Valve(site.local_broker.port) as valve:
        device = valve_id(site)
        people = {"close_valve": Operator(site, "left"), "open_valve": Operator(site, "right")}

        def insist(verb: str) -> list[str]:
            made = []
            for number in range(rounds):
                together.wait(20)
                made.append(people[verb].order(device, verb, f"{verb}-{number}"))
            return made

        with ThreadPoolExecutor(2) as threads:
            made = dict(zip(people, threads.map(insist, people), strict=True))
        done = [
            reached(site, {"id": command, "verb": verb}, "succeeded", "confirmed", "rejected")
            for verb, commands in made.items()
            for command in commands
            if command
        ]
        acted = sorted(
            (
                [step["at_ms"] for step in each["transitions"] if step["state"] in ("executing", "succeeded")],
                each["verb"],
            )
            for each in done
            if each["state"] != "rejected"
        )
        assert {verb for _, verb in acted} == set(people), "one of them was never obeyed"
        for (times, _), (later, _) in pairwise(acted):
            assert times[1] <= later[0], "two acts at once"
        assert valve.acts == [verb == "open_valve" for _, verb in acted]
        entries = site.cloud.get("audit", action="create_command", limit=200)["items"]
        for verb, person in people.items():
            mine = [entry["outcome"] for entry in entries if entry["actor"] == person.id]
            assert (len(mine), mine.count("done")) == (rounds, rounds - made[verb].count("")), "who wanted what"


def test_what_somebody_says_in_the_clouds_name_does_not_act(tmp_path: Path) -> None:
    """F44: on a real broker, as somebody who may publish there as the cloud does."""
    heard: list[bytes] = []
    kept: list[bytes] = []
    with running_site(tmp_path) as site, Valve(site.local_broker.port) as valve:
        device = valve_id(site)
        with ForeignClient(site.cloud_broker.port, "thief") as thief:
            thief.listen(topics.command(site.gateway), lambda topic, payload: heard.append(payload))
            thief.listen(topics.desired(site.gateway), lambda topic, payload: kept.append(payload))
            reached(site, order(site, device, "close_valve", "true"), "confirmed")
            seen = wait_for(lambda: heard and heard[0], "the command on the broker")
            command = msgspec.msgpack.decode(seen, type=Command)
            fresh = msgspec.structs.replace(command, command_id="cmd-forged", verb="open_valve", signature=b"")
            for forged in (
                msgspec.msgpack.encode(fresh),
                seal(fresh, Ed25519PrivateKey.generate()),
                seen.replace(b"close_valve", b"open__valve"),
                seen,
            ):
                thief.publish(topics.command(site.gateway), forged)
            document = msgspec.msgpack.decode(
                wait_for(lambda: kept and kept[-1], "the desired state"), type=DesiredState
            )
            nobody = DesiredState(version=document.version + 1, gateway=site.gateway)
            thief.publish(topics.desired(site.gateway), seal(nobody, Ed25519PrivateKey.generate()), retain=True)
            reasons = {"signature_missing", "key_unknown", "signature_wrong"}
            wait_for(lambda: reasons <= (site.agent.status() or {"refused": {}})["refused"].keys(), "the refusals")
            # A true one still gets through, so the others would have.
            reached(site, order(site, device, "open_valve", "after"), "confirmed")
            assert valve.acts == [False, True]
            assert (site.agent.status() or {})["desired_version"] == document.version
        said = wait_for(lambda: site.cloud.get("audit", action="gateway_refused")["items"], "the alarm", 20)
        assert {entry["actor"] for entry in said} == {f"gateway:{site.gateway}"}
        assert 'linli_gateway_refused_total{reason="signature_missing"} 1.0' in site.cloud.metrics()


def test_arguments_out_of_bounds_and_unknown_verbs_are_refused(site: Site) -> None:
    with Valve(site.local_broker.port):
        device = valve_id(site)
        for body in ({"verb": "compact", "args": {}}, {"verb": "close_valve", "args": {"speed": 1}}):
            status, problem = site.cloud.send("POST", f"devices/{device}/commands", body, Idempotency_Key="k")
            assert status == 422, problem
            assert problem["detail"]
