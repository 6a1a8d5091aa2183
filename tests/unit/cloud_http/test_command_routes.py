"""Commands through HTTP, sender and records; the gateway is played by the test."""

import asyncio
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cloud_api.commands import CommandSender
from cloud_api.signing import sealing
from contracts.messages import Command, CommandProgress
from contracts.signature import fault_of_seal
from tests.unit.cloud_http.cloud import GATEWAY, NOW, Cloud, open_cloud, reading


class Site:
    """The gateway's end: what was published to it."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.got: list[Command] = []
        self.link = True
        stores = cloud.stores
        self.sender = CommandSender(
            stores.commands, lambda: cloud.now_ms, self.publish, stores.presence.online, stores.live.latest, stores.work,
            sealing(stores.signing_key),
        )  # fmt: skip

    async def publish(self, topic: str, payload: bytes, retain: bool = False) -> bool:
        """The broker."""
        if self.link:
            assert (topic, retain) == (f"linli/1/{GATEWAY}/down/command", False)
            command = msgspec.msgpack.decode(payload, type=Command)
            assert fault_of_seal(command, payload, GATEWAY, [self.cloud.stores.signing_key.public_key()]) == ""
            self.got.append(command)
        return self.link

    async def step(self, after_ms: int = 0) -> None:
        """Time passes, the sender works."""
        self.cloud.now_ms += after_ms
        await self.sender.step()

    async def says(self, command: str, *states: str) -> None:
        """The gateway's words, in a frame."""
        words = [CommandProgress(command_id=command, state=state, at_ms=self.cloud.now_ms) for state in states]  # type: ignore[arg-type]
        await self.cloud.frames(records=words)


async def select(cloud: Cloud, device: str, actor: str = "p-1", **body: Any) -> Any:
    """POST a selection."""
    path = f"/api/v1/devices/{device}/selections"
    return await cloud.http.post(path, json={"verb": "open_valve", **body}, headers={"Test-Actor": actor})


async def order(cloud: Cloud, device: str, key: str = "k1", actor: str = "p-1", **body: Any) -> Any:
    """POST a command."""
    path, headers = f"/api/v1/devices/{device}/commands", {"Idempotency-Key": key, "Test-Actor": actor}
    return await cloud.http.post(path, json={"verb": "open_valve", **body}, headers=headers)


async def ask(cloud: Cloud, device: str, key: str = "k1", **body: Any) -> Any:
    """Select, then command; what can't be selected is commanded without."""
    chosen = await select(cloud, device, **{name: body[name] for name in ("verb", "args") if name in body})
    selection = {"selection": chosen.json()["id"]} if chosen.status_code == 201 else {}
    return await order(cloud, device, key, **selection, **body)


async def states(cloud: Cloud, command: str) -> list[str]:
    """Every state that the command went through."""
    return [step["state"] for step in (await cloud.get(f"commands/{command}"))["transitions"]]


def play(folder: Path, act: Any) -> None:
    """Run ``act(cloud, site, device)`` with a valve at an online gateway."""

    async def run() -> None:
        async with open_cloud(folder) as cloud:
            device = await cloud.seen("v1", "building", ["open_valve", "close_valve"])
            await cloud.frames([reading("v1", NOW - 1000, valve_open=False)])
            cloud.online()
            await act(cloud, Site(cloud), device)

    asyncio.run(run())


def test_from_queued_to_confirmed(tmp_path: Path) -> None:
    async def act(cloud: Cloud, site: Site, device: str) -> None:
        answer = await ask(cloud, device)
        assert answer.status_code == 202
        command = answer.json()["id"]
        await site.step(100)
        (sent,) = site.got
        assert (sent.command_id, sent.device, sent.verb, sent.ttl_ms) == (command, "v1", "open_valve", 59_900)
        await site.says(command, "received", "executing", "succeeded")
        await site.step(100)
        assert await states(cloud, command) == ["queued", "sent", "received", "executing", "succeeded"]
        await cloud.frames([reading("v1", cloud.now_ms, valve_open=True)])
        await site.step(100)
        done = await cloud.get(f"commands/{command}")
        assert (done["state"], done["confirmed_ms"]) == ("confirmed", cloud.now_ms - 100)
        assert [step["source"] for step in done["transitions"]] == [
            "cloud", "cloud", "gateway", "gateway", "device", "telemetry",
        ]  # fmt: skip

    play(tmp_path, act)


def test_an_effect_from_before_the_act_confirms_nothing(tmp_path: Path) -> None:
    async def act(cloud: Cloud, site: Site, device: str) -> None:
        await cloud.frames([reading("v1", cloud.now_ms, valve_open=True)])
        command = (await ask(cloud, device)).json()["id"]
        await site.step(100)
        await site.says(command, "received", "executing", "succeeded")
        await site.step(100)
        assert (await cloud.get(f"commands/{command}"))["state"] == "succeeded"

    play(tmp_path, act)


def test_an_effect_that_is_faster_than_the_gateways_word(tmp_path: Path) -> None:
    async def act(cloud: Cloud, site: Site, device: str) -> None:
        command = (await ask(cloud, device)).json()["id"]
        await site.step(100)
        await site.says(command, "received")
        await cloud.frames([reading("v1", cloud.now_ms + 10, valve_open=True)])
        await site.step(100)
        assert (await cloud.get(f"commands/{command}"))["state"] == "received"
        await site.says(command, "executing")
        await site.step(10_000)
        assert (await cloud.get(f"commands/{command}"))["state"] == "confirmed"

    play(tmp_path, act)


def test_the_same_key_acts_once(tmp_path: Path) -> None:
    async def act(cloud: Cloud, site: Site, device: str) -> None:
        selection = (await select(cloud, device)).json()["id"]
        first, second, third = await asyncio.gather(*[order(cloud, device, selection=selection) for _ in range(3)])
        assert first.json()["id"] == second.json()["id"] == third.json()["id"]
        other = await ask(cloud, device, ttl_ms=5_000)
        assert (other.status_code, other.json()["type"].rpartition("/")[2]) == (409, "idempotency_key_reused")
        await site.step()
        assert len(site.got) == len((await cloud.get("commands", device=device))["items"]) == 1

    play(tmp_path, act)


def test_an_offline_gateways_command_expires_and_is_never_sent(tmp_path: Path) -> None:
    async def act(cloud: Cloud, site: Site, device: str) -> None:
        cloud.online(False)
        command = (await ask(cloud, device, ttl_ms=5_000)).json()["id"]
        await site.step(4_999)
        assert await states(cloud, command) == ["queued"]
        await site.step(1)
        cloud.online()
        await site.step(1)
        assert await states(cloud, command) == ["queued", "expired"] and site.got == []

    play(tmp_path, act)


def test_it_is_sent_again_with_what_is_left_until_the_gateway_has_it(tmp_path: Path) -> None:
    async def act(cloud: Cloud, site: Site, device: str) -> None:
        site.link = False
        command = (await ask(cloud, device, ttl_ms=20_000)).json()["id"]
        await site.step(1_000)
        assert await states(cloud, command) == ["queued"]
        site.link = True
        for _ in range(4):
            await site.step(1_500)
        assert [sent.ttl_ms for sent in site.got] == [17_500, 14_500]
        await site.says(command, "received")
        await site.step(5_000)
        assert len(site.got) == 2

    play(tmp_path, act)


def test_the_gateways_late_word_wins_over_the_clouds_guess(tmp_path: Path) -> None:
    async def act(cloud: Cloud, site: Site, device: str) -> None:
        command = (await ask(cloud, device, ttl_ms=5_000)).json()["id"]
        await site.step(100)
        await site.step(6_000)
        assert (await cloud.get(f"commands/{command}"))["state"] == "expired"
        await site.says(command, "succeeded", "received")
        assert (await cloud.get(f"commands/{command}"))["state"] == "succeeded"

    play(tmp_path, act)


def test_withdrawing(tmp_path: Path) -> None:
    async def act(cloud: Cloud, site: Site, device: str) -> None:
        cloud.online(False)
        queued = (await ask(cloud, device, "a")).json()["id"]
        assert (await cloud.http.post(f"/api/v1/commands/{queued}/cancel")).json()["state"] == "cancelled"
        again = await cloud.http.post(f"/api/v1/commands/{queued}/cancel")
        assert (again.status_code, again.json()["type"].rpartition("/")[2]) == (409, "command_ended")
        cloud.online()
        sent = (await ask(cloud, device, "b")).json()["id"]
        await site.step()
        assert (await cloud.http.post(f"/api/v1/commands/{sent}/cancel")).json()["state"] == "sent"
        await site.step(3_000)
        assert [(command.command_id, command.cancel) for command in site.got] == [(sent, False), (sent, True)]
        await site.says(sent, "cancelled")
        assert (await cloud.get(f"commands/{sent}"))["state"] == "cancelled"

    play(tmp_path, act)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"verb": "fly"}, "verb_unsupported"),
        ({"verb": "open_barrier"}, "verb_unsupported"),
        ({"args": {"speed": 1}}, "arguments_invalid"),
        ({"ttl_ms": 10}, "body_invalid"),
        ({"precondition": {"metric": "warmth", "equals": 1}}, "metric_unknown"),
    ],
)
def test_what_is_refused(tmp_path: Path, body: dict[str, Any], word: str) -> None:
    async def act(cloud: Cloud, site: Site, device: str) -> None:
        answer = await ask(cloud, device, **body)
        assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (422, word)

    play(tmp_path, act)


def test_a_word_from_another_gateway_counts_nothing(tmp_path: Path) -> None:
    async def act(cloud: Cloud, site: Site, device: str) -> None:
        command = (await ask(cloud, device)).json()["id"]
        word = CommandProgress(command_id=command, state="succeeded", at_ms=NOW)
        await cloud.stores.commands.gateway_said("gw-other", word)
        await cloud.stores.commands.gateway_said(
            GATEWAY, CommandProgress(command_id="cmd-x", state="failed", at_ms=NOW)
        )
        assert await states(cloud, command) == ["queued"]

    play(tmp_path, act)


def test_commands_are_listed_newest_first_in_pages(tmp_path: Path) -> None:
    async def act(cloud: Cloud, site: Site, device: str) -> None:
        made = []
        for number in range(5):
            made.append((await ask(cloud, device, f"k{number}")).json()["id"])
            cloud.now_ms += number % 2  # some share a millisecond
        seen, cursor = [], ""
        for _ in count():
            page = await cloud.get("commands", limit=2, cursor=cursor)
            seen += [item["id"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = page["next_cursor"]
        assert sorted(seen) == sorted(made) and seen[0] == made[-1]

    play(tmp_path, act)
