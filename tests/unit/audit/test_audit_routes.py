"""What is asked over HTTP is written down: everything that changes something, refused or not, and reads of personal data."""

import asyncio
import json
import re
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from cloud_api.audit.recording import reads_personal_data
from cloud_api.audit.verification import checkpoints_in, verify
from cloud_api.cli import main
from contracts import topics
from contracts.messages import Refused
from tests.unit.cloud_http.cloud import GATEWAY, NOW, Cloud, open_cloud


def play(folder: Path, act: Callable[[Cloud], Awaitable[None]], **settings: Any) -> None:
    async def run() -> None:
        async with open_cloud(folder, **settings) as cloud:
            await act(cloud)

    asyncio.run(run())


def routes_of(cloud: Cloud) -> list[tuple[str, APIRoute]]:
    """Every route with its method, as people call it."""
    found = []
    for route in cloud.app.routes:
        inner = getattr(route, "original_router", None)
        for each in inner.routes if inner is not None else [route]:
            if isinstance(each, APIRoute):
                found += [(method, each) for method in each.methods]
    return found


async def newest(cloud: Cloud) -> dict[str, Any]:
    return dict((await cloud.get("audit", limit=1))["items"][0])


def test_every_route_that_changes_something_is_written_down_whatever_comes_of_it(tmp_path: Path) -> None:
    async def act(cloud: Cloud) -> None:
        changing = [(method, route) for method, route in routes_of(cloud) if method not in ("GET", "HEAD")]
        assert len(changing) >= 16
        for number, (method, route) in enumerate(changing):
            path = "/api/v1" + re.sub(r"\{[^}]+\}", "none", route.path.removeprefix("/api/v1"))
            headers = {"Test-Actor": f"person-{number}"}
            status = (await cloud.http.request(method, path, headers=headers, json={"no": "such"})).status_code
            entry = await newest(cloud)
            assert (entry["action"], entry["actor"]) == (route.name, f"person-{number}"), path
            assert entry["target"] == path.removeprefix("/api/v1/")
            assert entry["outcome"] == ("done" if status < 400 else "refused" if status < 500 else "failed")
            assert entry["details"]["status"] == status

    play(tmp_path, act)


def test_reads_are_not_written_down_unless_they_are_of_personal_data(tmp_path: Path) -> None:
    async def act(cloud: Cloud) -> None:
        personal = {
            route.name
            for method, route in routes_of(cloud)
            if method == "GET" and any(each.dependency is reads_personal_data for each in route.dependencies)
        }
        assert personal >= {"get_site_charging", "list_transactions", "get_sessions", "export_audit"}
        before = (await newest(cloud))["seq"]
        await cloud.get("devices")
        await cloud.get("audit")
        assert (await newest(cloud))["seq"] == before
        await cloud.get(f"gateways/{GATEWAY}/charging")
        entry = await newest(cloud)
        assert (entry["seq"], entry["action"], entry["community"]) == (before + 1, "get_site_charging", "willow")

    play(tmp_path, act)


def test_a_line_end_in_a_name_begins_no_entry(tmp_path: Path) -> None:
    async def act(cloud: Cloud) -> None:
        evil = "Eve%0A{}"
        await cloud.http.put(f"/api/v1/communities/x{evil}", json={}, headers={"Test-Actor": 'a","seq":1'})
        entry = await newest(cloud)
        assert (entry["actor"], entry["target"]) == ('a","seq":1', "communities/xEve\n{}")
        export = (await cloud.http.get("/api/v1/audit/export")).content
        assert verify(export.splitlines(), checkpoints_in(export), []).fault is None

    play(tmp_path, act)


ODD = (
    '{"a": "\\ud800"}',
    '{"a": 1e400}',
    f'{{"a": {10**40}}}',
    '{"\\u0000": 1}',
    '{"a": ' + "[" * 900 + "]" * 900 + "}",
)


@pytest.mark.parametrize("args", ODD, ids=["surrogate", "infinite", "huge", "nul", "deep"])
def test_whatever_is_sent_is_written_down(tmp_path: Path, args: str) -> None:
    async def act(cloud: Cloud) -> None:
        device = await cloud.seen("v1", "building", ["switch_on"])
        body = f'{{"verb": "x", "args": {args}}}'
        headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
        answer = await cloud.http.post(f"/api/v1/devices/{device}/commands", content=body, headers=headers)
        assert answer.status_code in (400, 422)
        assert (await newest(cloud))["action"] == "create_command"
        export = (await cloud.http.get("/api/v1/audit/export")).content
        assert verify(export.splitlines(), checkpoints_in(export), []).fault is None

    play(tmp_path, act)


def test_filters_and_pages(tmp_path: Path) -> None:
    async def act(cloud: Cloud) -> None:
        for number in range(7):
            cloud.now_ms += 1
            name = {"zh": "名", "en": "Name"}
            headers = {"Test-Actor": f"p-{number % 2}"}
            await cloud.http.put(f"/api/v1/communities/c-{number}", json={"name": name}, headers=headers)
        await cloud.http.put("/api/v1/communities/c-0", json={})
        seen, cursor = [], ""
        while True:
            page = await cloud.get("audit", limit=2, cursor=cursor, actor="p-0", action="put_community")
            seen += [entry["target"] for entry in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == [f"communities/c-{number}" for number in (6, 4, 2, 0)]
        (only,) = (await cloud.get("audit", community="c-3"))["items"]
        assert only["at_ms"] == NOW + 4
        assert len((await cloud.get("audit", start_ms=NOW + 2, end_ms=NOW + 4))["items"]) == 2
        (refused,) = (await cloud.get("audit", outcome="refused"))["items"]
        assert (refused["details"]["problem"], refused["details"]["status"]) == ("body_invalid", 422)

    play(tmp_path, act)


def test_an_answer_leaves_only_when_its_entry_is_on_disk(tmp_path: Path) -> None:
    async def act(cloud: Cloud) -> None:
        with sqlite3.connect(tmp_path / "audit.sqlite") as db:
            db.execute("ALTER TABLE audit RENAME TO gone")
        answer = await cloud.http.put("/api/v1/communities/late", json={"name": {"zh": "晚", "en": "Late"}})
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert answer.json()["type"].endswith("not_ready")

    play(tmp_path, act)


def test_an_entry_that_is_edited_in_sql_is_named_offline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """F52."""
    exported, early, key = tmp_path / "audit.jsonl", tmp_path / "checkpoints.json", tmp_path / "taken-away.pem"

    def verdict(*more: str) -> tuple[int, dict[str, Any]]:
        with pytest.raises(SystemExit) as left:
            main(["audit", "verify", str(exported), "--json", "--key", str(key), *more])
        return int(left.value.code or 0), json.loads(capsys.readouterr().out)

    async def fill(cloud: Cloud) -> None:
        for number in range(20):
            await cloud.http.put(f"/api/v1/communities/c-{number}", json={"name": {"zh": "名", "en": "Name"}})
        exported.write_bytes((await cloud.http.get("/api/v1/audit/export")).content)
        early.write_bytes((await cloud.http.get("/api/v1/audit/checkpoints")).content)
        key.write_bytes((await cloud.http.get("/api/v1/audit/key")).content)

    async def export(cloud: Cloud) -> None:
        exported.write_bytes((await cloud.http.get("/api/v1/audit/export")).content)

    play(tmp_path, fill)
    entries = len(exported.read_bytes().splitlines()) - 1
    good = {"ok": True, "entries": entries, "removed": 0, "checkpoint": entries, "signatures_checked": True}
    assert verdict() == (0, good)
    assert entries > 20
    with sqlite3.connect(tmp_path / "audit.sqlite") as db:
        ((actor,),) = db.execute("SELECT actor FROM audit WHERE seq = 9").fetchall()
        db.execute("UPDATE audit SET actor = 'somebody' WHERE seq = 9")
    play(tmp_path, export)
    code, said = verdict()
    assert (code, said["fault"]["seq"], said["fault"]["what"]) == (1, 9, "altered")
    with sqlite3.connect(tmp_path / "audit.sqlite") as db:
        db.execute("UPDATE audit SET actor = ? WHERE seq = 9", (actor,))
        db.execute("DELETE FROM audit WHERE seq > 15")
    play(tmp_path, export)  # the chain goes on from there, under a fresh checkpoint of the cloud's own key
    assert verdict()[0] == 0, "the export alone can't tell"
    code, said = verdict("--checkpoint", str(early))
    assert (code, said["fault"]["what"]) == (1, "truncated") or said["fault"]["what"] == "recomputed"


def test_what_a_gateway_refused_in_our_name_is_an_alarm_once(tmp_path: Path) -> None:
    async def act(cloud: Cloud) -> None:
        device = await cloud.seen("v1", "building", ["switch_on"])
        asked = await cloud.http.post(
            f"/api/v1/devices/{device}/commands", json={"verb": "switch_on"}, headers={"Idempotency-Key": "k"}
        )
        forged = Refused(
            topic=topics.command(GATEWAY), reason="signature_wrong", detail=asked.json()["id"], head=b"\x87", size_bytes=9,
            at_ms=NOW,
        )  # fmt: skip
        await cloud.frames(records=[forged])
        entry = await newest(cloud)
        assert (entry["actor"], entry["action"]) == (f"gateway:{GATEWAY}", "gateway_refused")
        assert (entry["community"], entry["details"]["reason"]) == ("willow", "signature_wrong")
        await cloud.frames(records=[forged])  # the book may be made again
        assert (await newest(cloud))["seq"] == entry["seq"]
        assert (await cloud.get(f"commands/{asked.json()['id']}"))["state"] == "queued", "a forged word ends nothing"
        (kept,) = (await cloud.get("quarantine"))["items"]
        assert kept["topic"] == topics.command(GATEWAY)

    play(tmp_path, act)
