"""Charging transactions and sites' settings over HTTP: the highest word counts, sessions are they, secrets stay inside."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from contracts.messages import ChargingTransaction
from contracts.scrypt import matches
from device_registry import desired_states, site_charging
from tests.unit.cloud_http.cloud import GATEWAY, NOW, Cloud, open_cloud, reading
from tests.unsigned import unsigned

HOUR_MS = 3_600_000
SECRET, TAG = "sixteen-letters!", "04A2B3C4D5E6F7"


def with_cloud(tmp_path: Path, work: Callable[[Cloud], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            await work(cloud)

    asyncio.run(run())


def said(transaction: str, seq: int, **changes: Any) -> ChargingTransaction:
    values = {
        "device": "CP-1-1", "charge_point": "CP-1", "token": "Flat 12", "started_ms": NOW, "meter_start_wh": 1000.0,
        "meter_wh": 1000.0 + seq * 500, "energy_wh": seq * 500.0, "at_ms": NOW + seq,
    }  # fmt: skip
    return ChargingTransaction(transaction=transaction, seq=seq, **{**values, **changes})  # type: ignore[arg-type]


def test_the_highest_word_counts_in_any_order_and_again(tmp_path: Path) -> None:
    async def work(cloud: Cloud) -> None:
        device = await cloud.seen("CP-1-1", "charging")
        end = said("t1", 5, ended_ms=NOW + HOUR_MS, reason="EVDisconnected")
        await cloud.frames(
            records=[said("t1", 2), end, said("t1", 3), end, said("t2", 1, started_ms=NOW + 2 * HOUR_MS)]
        )
        items = (await cloud.get("charging-transactions", community="willow"))["items"]
        assert [(one["transaction"], one["energy_wh"], one["end_ms"]) for one in items] == [
            ("t2", 500.0, None),
            ("t1", 2500.0, NOW + HOUR_MS),
        ]
        assert {one["device_id"] for one in items} == {device}
        first = await cloud.get("charging-transactions", device=device, limit=1)
        second = await cloud.get("charging-transactions", device=device, limit=1, cursor=first["next_cursor"])
        assert [page["items"][0]["transaction"] for page in (first, second)] == ["t2", "t1"]
        assert second["next_cursor"] is None
        late = await cloud.get("charging-transactions", start_ms=NOW + HOUR_MS + 1)
        assert [one["transaction"] for one in late["items"]] == ["t2"]
        early = await cloud.get("charging-transactions", end_ms=NOW + HOUR_MS)
        assert [one["transaction"] for one in early["items"]] == ["t1"]

    with_cloud(tmp_path, work)


def test_sessions_are_the_transactions_where_there_are_any(tmp_path: Path) -> None:
    async def work(cloud: Cloud) -> None:
        spoken = await cloud.seen("CP-1-1", "charging")
        silent = await cloud.seen("pile-2", "charging")
        statuses = [(0, "Preparing"), (1000, "Charging"), (HOUR_MS, "Available")]
        await cloud.frames(
            [reading(name, NOW + at, connector_status=word) for name in ("CP-1-1", "pile-2") for at, word in statuses],
            [said("t1", 4, ended_ms=NOW + HOUR_MS, reason="Local")],
        )
        cloud.now_ms = NOW + 2 * HOUR_MS
        (session,) = (await cloud.get(f"devices/{spoken}/charging-sessions"))["items"]
        assert (session["source"], session["transaction"], session["energy_wh"]) == ("transaction", "t1", 2000.0)
        assert (session["token"], session["end_ms"], session["charging_ms"]) == ("Flat 12", NOW + HOUR_MS, None)
        (session,) = (await cloud.get(f"devices/{silent}/charging-sessions"))["items"]
        assert (session["source"], session["begin_ms"], session["transaction"]) == ("series", NOW, None)

    with_cloud(tmp_path, work)


def test_what_can_not_be_is_quarantined(tmp_path: Path) -> None:
    async def work(cloud: Cloud) -> None:
        await cloud.frames(records=[said("", 1), said("t", 1, energy_wh=-1.0), said("t", 1, started_ms=-1)])
        assert (await cloud.get("charging-transactions"))["items"] == []
        reasons = {one["reason"] for one in (await cloud.get("quarantine"))["items"]}
        assert reasons == {"transaction_invalid", "energy_invalid", "time_invalid"}

    with_cloud(tmp_path, work)


def test_a_site_is_set_up_and_its_secrets_are_never_shown(tmp_path: Path) -> None:
    async def work(cloud: Cloud) -> None:
        path = f"/api/v1/gateways/{GATEWAY}/charging"
        assert (await cloud.http.get(path)).json()["set_up"] is False
        body: dict[str, Any] = {
            "fuse_a": 63,
            "charge_points": [{"charge_point": "CP-1", "password": SECRET}, {"charge_point": "CP-2", "password": ""}],
            "tokens": [{"name": "Flat 12", "id_tag": TAG}],
        }
        answer = await cloud.http.put(path, json=body)
        assert answer.status_code == 200, answer.text
        assert [point["password_set"] for point in answer.json()["charge_points"]] == [True, False]
        assert answer.json()["tokens"][0]["id_tag_masked"] == "••••E6F7"
        del body["charge_points"][0]["password"], body["tokens"][0]["id_tag"]  # left out: they stay
        again = await cloud.http.put(path, json=body)
        shown = answer.text + again.text + (await cloud.http.get(path)).text
        assert SECRET not in shown and TAG not in shown and "scrypt" not in shown

        kept = await site_charging(GATEWAY)
        ((_, document),) = await desired_states({}, unsigned)
        assert kept is not None and document.charging is not None
        (token,) = document.charging.tokens
        assert token.name.startswith("tok-") and "Flat 12" not in str(document), "a gateway knows an alias"
        assert document.charging == msgspec.structs.replace(kept, tokens=[token])
        assert matches(SECRET.encode(), kept.charge_points[0].password_hash)
        assert kept.tokens[0].id_tag == TAG
        version = document.version
        await cloud.http.put(path, json={**body, "fuse_a": 40})
        ((_, document),) = await desired_states({GATEWAY: version}, unsigned)
        assert document.charging is not None and document.charging.fuse_a == 40

    with_cloud(tmp_path, work)


def test_a_site_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    async def work(cloud: Cloud) -> None:
        path = f"/api/v1/gateways/{GATEWAY}/charging"
        twice = [{"charge_point": "CP-1"}, {"charge_point": "CP-1"}]
        for body in (
            {"fuse_a": 0},
            {"fuse_a": 63, "charge_points": twice},
            {"fuse_a": 63, "charge_points": [{"charge_point": "a/b"}]},
            {"fuse_a": 63, "charge_points": [{"charge_point": "CP-1", "password": "short"}]},
            {"fuse_a": 63, "tokens": [{"name": "new"}]},
            {"fuse_a": 63, "tokens": [{"name": "a", "id_tag": "x1"}, {"name": "b", "id_tag": "X1"}]},
        ):
            answer = await cloud.http.put(path, json=body)
            assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (422, "body_invalid"), body
        assert (await cloud.http.get("/api/v1/gateways/gw-nobody/charging")).status_code == 404

    with_cloud(tmp_path, work)
