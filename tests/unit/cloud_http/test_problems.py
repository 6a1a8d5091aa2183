"""Whatever is wrong with a request, the answer is a problem with a stable type."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cloud_api.problems import PROBLEMS, TYPE_ROOT
from tests.unit.cloud_http.cloud import open_cloud

WRONG: list[tuple[str, str, dict[str, Any], str]] = [
    ("GET", "/api/v1/devices/dev-nothere", {}, "not_found"),
    ("GET", "/api/v1/nowhere", {}, "not_found"),
    ("DELETE", "/api/v1/devices", {}, "method_not_allowed"),
    ("GET", "/api/v1/devices?comunity=willow", {}, "parameter_unknown"),
    ("GET", "/api/v1/communities/willow?x=1", {}, "parameter_unknown"),
    ("GET", "/api/v1/devices?limit=1001", {}, "parameter_invalid"),
    ("GET", "/api/v1/devices?kind=lift", {}, "parameter_invalid"),
    ("GET", "/api/v1/devices?cursor=garbage", {}, "cursor_invalid"),
    ("GET", "/api/v1/commands?cursor=WyJhIl0", {}, "cursor_invalid"),
    ("PUT", "/api/v1/communities/willow", {"json": {"name": {"zh": "柳园"}}}, "body_invalid"),
    ("PUT", "/api/v1/communities/willow", {"content": b"{"}, "body_invalid"),
    ("PUT", "/api/v1/communities/Not An Id", {"json": {"name": {"zh": "x", "en": "x"}}}, "parameter_invalid"),
    ("PUT", "/api/v1/gateways/gw-2", {"json": {"community_id": "no", "name": {"zh": "x", "en": "x"}}}, "not_found"),
    ("GET", "/api/v1/availability?community=nowhere&kind=parking", {}, "not_found"),
    ("GET", "/api/v1/gateways/nowhere/ledger", {}, "not_found"),
    ("GET", "/api/v1/gateways/nowhere/conflicts", {}, "not_found"),
]


@pytest.mark.parametrize(("method", "path", "more", "word"), WRONG, ids=lambda value: str(value)[:40])
def test_problem(tmp_path: Path, method: str, path: str, more: dict[str, Any], word: str) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            answer = await cloud.http.request(method, path, **more)
            assert answer.headers["content-type"] == "application/problem+json"
            problem = answer.json()
            assert problem["type"] == TYPE_ROOT + word
            assert (answer.status_code, problem["status"]) == (PROBLEMS[word].status, PROBLEMS[word].status)
            assert problem["title"] == PROBLEMS[word].title and problem["detail"]

    asyncio.run(run())


def test_a_fault_of_ours_says_nothing_of_its_inside(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            with closing(sqlite3.connect(tmp_path / "quarantine.sqlite")) as other:
                other.execute(
                    "INSERT INTO quarantine VALUES (1, 'i', 'gw', 'nowhere', 't', '', 'r', '', 0, x'', 0, 1, NULL)"
                )
                other.commit()
            answer = await cloud.http.get("/api/v1/quarantine")
            assert (answer.status_code, answer.json()["type"]) == (500, TYPE_ROOT + "internal")
            assert "nowhere" not in answer.text

    asyncio.run(run())


def test_a_database_that_does_not_take_it_is_not_ready(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            with closing(sqlite3.connect(tmp_path / "registry.sqlite")) as other:
                other.execute("DROP TABLE desired")
            answer = await cloud.http.get("/api/v1/gateways")
            assert (answer.status_code, answer.json()["type"]) == (503, TYPE_ROOT + "not_ready")

    asyncio.run(run())
