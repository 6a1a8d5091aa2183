"""A resident's name is in one place; it can be taken away, and erased with a receipt that holds."""

import sqlite3
from pathlib import Path
from typing import Any

from cloud_api.audit.checkpoints import is_genuine, read_checkpoint
from tests.unit.charging.test_transactions import HOUR_MS, TAG, said, with_cloud
from tests.unit.cloud_http.cloud import GATEWAY, NOW, Cloud

NAME = "Flat 12, Wang"
SUBJECT = {"gateway_id": GATEWAY, "token": NAME}
SITE: dict[str, Any] = {"fuse_a": 63, "tokens": [{"name": NAME, "id_tag": TAG}, {"name": "Flat 13", "id_tag": "OTHER"}]}


def files_with(folder: Path, *words: str) -> set[str]:
    """Tables that hold one of these words in any row, in any database of the cloud."""
    found = set()
    for path in folder.glob("*.sqlite"):
        with sqlite3.connect(path) as db:
            for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                for row in db.execute(f'SELECT * FROM "{table}"'):
                    if any(word in str(value) for value in row for word in words):
                        found.add(table)
    return found


def test_a_name_is_in_one_place_and_then_nowhere(tmp_path: Path) -> None:
    async def work(cloud: Cloud) -> None:
        path = f"/api/v1/gateways/{GATEWAY}/charging"
        await cloud.seen("CP-1-1", "charging")
        assert (await cloud.http.put(path, json=SITE)).status_code == 200
        exported = (await cloud.http.post("/api/v1/personal-data/export", json=SUBJECT)).json()
        alias = exported["alias"]
        assert exported["token"]["id_tag_masked"] == "••••E6F7"
        await cloud.frames(records=[said("t1", 4, token=alias, ended_ms=NOW + HOUR_MS), said("t2", 1, token="else")])
        assert [one["token"] for one in (await cloud.get("charging-transactions"))["items"]] == ["else", NAME]
        exported = (await cloud.http.post("/api/v1/personal-data/export", json=SUBJECT)).json()
        assert [one["transaction"] for one in exported["transactions"]] == ["t1"]
        await cloud.http.put(path, json={**SITE, "tokens": SITE["tokens"][:1]})  # the same names keep their aliases
        assert (await cloud.http.post("/api/v1/personal-data/export", json=SUBJECT)).json()["alias"] == alias
        assert files_with(tmp_path, NAME) == {"site_charging"}
        assert files_with(tmp_path, TAG) == {"site_charging", "desired"}

        receipt = (await cloud.http.post("/api/v1/personal-data/erase", json=SUBJECT)).json()
        assert (receipt["alias"], receipt["transactions_kept"], receipt["was_in_list"]) == (alias, 1, True)
        assert files_with(tmp_path, NAME, TAG) == set()
        assert "Flat 13" in files_text(tmp_path), "the neighbour's is still there"
        (kept,) = [one for one in (await cloud.get("charging-transactions"))["items"] if one["transaction"] == "t1"]
        assert (kept["token"], kept["energy_wh"]) == (alias, 2000.0)
        again = await cloud.http.post("/api/v1/personal-data/erase", json=SUBJECT)
        assert again.status_code == 404
        (entry,) = (await cloud.get("audit", action="personal_data_erased"))["items"]
        assert (entry["seq"], entry["hash"]) == (receipt["seq"], receipt["hash"])
        assert NAME not in str((await cloud.get("audit"))["items"])
        checkpoint = read_checkpoint((await cloud.http.get("/api/v1/audit/export")).content.splitlines()[-1])
        assert is_genuine(checkpoint, [cloud.stores.signing_key.public_key()])

    with_cloud(tmp_path, work)


def files_text(folder: Path) -> str:
    with sqlite3.connect(folder / "registry.sqlite") as db:
        return str(db.execute("SELECT * FROM site_charging").fetchall())
