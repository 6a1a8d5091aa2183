"""What acts on people's way or safety takes two steps; unlocking, and what goes to many at once, two people."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.cloud_http.cloud import GATEWAY, NOW, Cloud, reading
from tests.unit.cloud_http.test_command_routes import Site, ask, order, play, select


def word(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition("/")[2]


async def chosen(cloud: Cloud, device: str, **more: Any) -> str:
    return str((await select(cloud, device, **more)).json()["id"])


def test_a_dangerous_verb_is_selected_first(tmp_path: Path) -> None:
    async def act(cloud: Cloud, site: Site, device: str) -> None:
        assert word(await order(cloud, device)) == (409, "selection_needed")
        selection = (await select(cloud, device)).json()
        assert (selection["metric"], selection["value"]) == ("valve_open", False)
        assert selection["expires_ms"] == cloud.now_ms + 30_000
        done = await order(cloud, device, selection=selection["id"])
        assert done.status_code == 202
        await site.step()
        (sent,) = site.got
        assert sent.precondition is not None
        assert (sent.precondition.metric, sent.precondition.equals) == ("valve_open", False)

    play(tmp_path, act)


def test_a_selection_is_one_persons_for_one_order_for_a_while_once(tmp_path: Path) -> None:
    async def act(cloud: Cloud, site: Site, device: str) -> None:
        refused = (409, "selection_refused")
        assert word(await order(cloud, device, selection="sel-none")) == refused
        selection = await chosen(cloud, device)
        assert word(await order(cloud, device, actor="p-2", selection=selection)) == refused
        assert word(await order(cloud, device, verb="close_valve", selection=selection)) == refused
        other = await cloud.seen("v2", "building", ["open_valve"])
        assert word(await order(cloud, other, selection=selection)) == refused
        assert (await order(cloud, device, selection=selection)).status_code == 202
        assert word(await order(cloud, device, "k2", selection=selection)) == refused
        late = await chosen(cloud, device)
        cloud.now_ms += 30_000
        assert word(await order(cloud, device, "k3", selection=late)) == refused
        assert len((await cloud.get("commands"))["items"]) == 1

    play(tmp_path, act)


def test_what_changed_between_the_two_steps_is_not_acted_on(tmp_path: Path) -> None:
    """F41: the cloud looks, and the gateway looks again at the moment of acting."""

    async def act(cloud: Cloud, site: Site, device: str) -> None:
        selection = await chosen(cloud, device)
        await cloud.frames([reading("v1", NOW, valve_open=True)])
        assert word(await order(cloud, device, selection=selection)) == (409, "state_changed")
        await site.step()
        assert site.got == []

    play(tmp_path, act)


def test_a_value_that_counts_no_more_is_no_condition(tmp_path: Path) -> None:
    async def act(cloud: Cloud, site: Site, device: str) -> None:
        cloud.now_ms += 30 * 86_400_000
        assert (await ask(cloud, device)).status_code == 202
        cloud.online()
        await site.step()
        assert [sent.precondition for sent in site.got] == [None]

    play(tmp_path, act)


async def approval(cloud: Cloud, action: str, target: str, request: dict[str, Any], actor: str = "p-1") -> str:
    cloud.now_ms += 1
    body = {"action": action, "target": target, "request": request, "reason": "the plug is stuck"}
    asked = await cloud.http.post("/api/v1/approvals", json=body, headers={"Test-Actor": actor})
    assert asked.status_code == 201, asked.text
    return str(asked.json()["id"])


async def decide(cloud: Cloud, approval_id: str, what: str, actor: str) -> Any:
    return await cloud.http.post(f"/api/v1/approvals/{approval_id}/{what}", headers={"Test-Actor": actor})


UNLOCK: dict[str, Any] = {"verb": "unlock_connector", "args": {}}


def test_unlocking_takes_two_people(tmp_path: Path) -> None:
    async def act(cloud: Cloud, site: Site, device: str) -> None:
        pile = await cloud.seen("cp-1", "charging", ["unlock_connector"])
        other = await cloud.seen("cp-2", "charging", ["unlock_connector"])
        assert (await select(cloud, pile, **UNLOCK)).json()["second_person"] is True

        async def unlock(key: str, leave: str | None, actor: str = "p-1", where: str = pile) -> Any:
            selection = await chosen(cloud, where, actor=actor, **UNLOCK)
            return await order(cloud, where, key, actor, **UNLOCK, selection=selection, approval=leave)

        assert word(await unlock("a", None)) == (409, "approval_needed")
        leave = await approval(cloud, "command", pile, UNLOCK)
        assert word(await unlock("b", leave)) == (409, "approval_refused"), "nobody has decided"
        assert word(await decide(cloud, leave, "approve", "p-1")) == (403, "same_person")
        approved = await decide(cloud, leave, "approve", "p-2")
        assert (approved.json()["state"], approved.json()["decided_by"]) == ("approved", "p-2")
        assert word(await decide(cloud, leave, "refuse", "p-3")) == (409, "approval_refused"), "decided already"
        assert word(await unlock("c", leave, "p-2")) == (409, "approval_refused"), "p-1 asked for it"
        assert word(await unlock("d", leave, where=other)) == (409, "approval_refused"), "another connector"
        assert (await unlock("e", leave)).status_code == 202
        assert word(await unlock("f", leave)) == (409, "approval_refused"), "once"
        refused = await approval(cloud, "command", pile, UNLOCK)
        await decide(cloud, refused, "refuse", "p-2")
        assert word(await unlock("g", refused)) == (409, "approval_refused")
        late = await approval(cloud, "command", pile, UNLOCK)
        await decide(cloud, late, "approve", "p-2")
        cloud.now_ms += 15 * 60_000
        assert word(await unlock("h", late)) == (409, "approval_refused")
        states = [each["state"] for each in (await cloud.get("approvals"))["items"]]
        assert states == ["expired", "refused", "used"]
        assert len((await cloud.get("commands"))["items"]) == 1
        decided = (await cloud.get("audit", action="approve"))["items"]
        assert [(entry["actor"], entry["outcome"]) for entry in decided] == [
            ("p-2", "done"), ("p-2", "done"), ("p-1", "refused"),
        ]  # fmt: skip

    play(tmp_path, act)


PROFILE = """\
profile: {id: made-up/hoist, version: 1, kind: building, en: Hoist, zh: 升降机}
topics: ["hoist/{device}/up"]
identity: {device: "{device}"}
messages: [{readings: [{metrics: {temperature: {path: t, unit: Cel}}}]}]
examples: [{topic: hoist/a/up, payload: {t: 20.5}, expect: {temperature: 20.5}}]
"""


@pytest.mark.parametrize("to", [{"community": "willow"}, {"gateways": [GATEWAY, "gw-2"]}], ids=["community", "list"])
def test_what_goes_to_many_gateways_takes_two_people(tmp_path: Path, to: dict[str, Any]) -> None:
    async def act(cloud: Cloud, site: Site, device: str) -> None:
        name = {"zh": "二", "en": "Two"}
        await cloud.http.put("/api/v1/gateways/gw-2", json={"community_id": "willow", "name": name})
        assert (await cloud.http.post("/api/v1/profiles", content=PROFILE)).status_code == 201
        path = "/api/v1/profiles/made-up/hoist/versions/1/push"

        async def push(**body: Any) -> Any:
            return await cloud.http.post(path, json=body, headers={"Test-Actor": "p-1"})

        assert (await push(gateways=[GATEWAY])).status_code == 200
        assert word(await push(**to)) == (409, "approval_needed")
        leave = await approval(cloud, "push_profile", "made-up/hoist/1", {"gateways": [], "community": "", **to})
        assert word(await push(**to, approval=leave)) == (409, "approval_refused")
        await decide(cloud, leave, "approve", "p-2")
        assert (await push(**to, approval=leave)).json() == {"gateways": ["gw-2", GATEWAY]}

    play(tmp_path, act)
