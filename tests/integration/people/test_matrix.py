"""Every route, for every kind of person, on what is his community's and what is another's: as the route declares it.

The routes are those of the OpenAPI document, so a new one is asked without anybody writing a line here; one that does not say who
may use it can't be built at all.
"""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cloud_api.app import openapi_document
from cloud_api.people.access import AccessUndeclared, check_declared
from cloud_api.people.roles import MAY, Permission, Role
from tests.faults import LONG
from tests.integration.people.any_request import (
    DECLARED,
    PEOPLE,
    REQUESTS,
    Declared,
    answered,
    beginning,
    check,
    requests,
)
from tests.integration.people.house import ELSEWHERE, HERE, House, Things, open_house

API = "/api/v1/"
NAME = {"zh": "新", "en": "new"}


class Operation(NamedTuple):
    """A route's method, path and what it has declared."""

    method: str
    path: str
    where: str
    permission: Permission | None


def body_of(operation: Operation, things: Things) -> Any:
    """What makes sense to send, so that it is not the body that is refused."""
    of = things.of
    bodies = {
        "PUT communities/{community_id}": {"name": NAME},
        "PUT facilities/{facility_id}": {"community_id": of["community_id"], "kind": "building", "name": NAME},
        "PUT gateways/{gateway_id}": {"community_id": of["community_id"], "name": NAME},
        "PATCH devices/{device_id}": {"name": NAME},
        "POST devices/{device_id}/commands": {"verb": "switch_off"},
        "POST gateways/{gateway_id}/discoveries/adopt": {
            "topic": f"{of['community_id']}/unit", "profile": "zigbee2mqtt/plug", "device": f"{of['community_id']}-unit",
        },
        "POST devices/{device_id}/move": {"gateway_id": of["gateway_id"]},
        "POST devices/{device_id}/selections": {"verb": "switch_off"},
        "POST gateways/{gateway_id}/discoveries/release": {"topic": f"{of['community_id']}/unit"},
        "POST gateways/{gateway_id}/discoveries/dismiss": {"topic": f"{of['community_id']}/unit"},
        "PUT gateways/{gateway_id}/charging": {"fuse_a": 32, "charge_points": [], "tokens": []},
        "POST gateways/{gateway_id}/revoke": {"reason": "lost"},
        "POST claims": {"gateway_id": of["gateway_id"]},
        "PATCH users/{user_id}": {"disabled": False},
        "POST profiles/{maker}/{model}/versions/{version}/push": {"gateways": [of["gateway_id"]], "community": ""},
    }  # fmt: skip
    return bodies.get(f"{operation.method} {operation.path.removeprefix(API)}", {})


def operations(app: FastAPI) -> list[Operation]:
    """All of the document; those that end a session or shut somebody out come last."""
    found = []
    for path, methods in openapi_document(app)["paths"].items():
        for method, operation in methods.items():
            said = operation["x-linli-access"]
            permission = Permission(said["permission"]) if "permission" in said else None
            found.append(Operation(method.upper(), path, said["where"], permission))
    return sorted(found, key=lambda one: (one.method == "DELETE", one.path.endswith("/revoke"), one.path, one.method))


async def ask(client: httpx.AsyncClient, operation: Operation, things: Things, **query: str) -> httpx.Response:
    """One request with all that it needs; of an endless answer only the beginning."""
    url = things.path(operation.path)
    headers = {"Idempotency-Key": f"{operation.path}-{things.of['community_id']}"}
    query |= {"metric": "valve_open"} if operation.path.endswith("/telemetry") else {}
    body = None if operation.method in ("GET", "DELETE") else body_of(operation, things)
    request = client.build_request(operation.method, url, json=body, headers=headers, params=query)
    if operation.path != f"{API}live":
        return await client.send(request)
    return await beginning(client, request)


def reason(answer: httpx.Response) -> str:
    """The problem's word, "" for none."""
    is_problem = answer.headers.get("content-type", "").startswith("application/problem+json")
    return str(answer.json()["type"]).rpartition("/")[2] if is_problem else ""


REFUSED = {"not_signed_in", "not_allowed"}


class There(NamedTuple):
    """The house, and the loop that it lives in."""

    house: House
    runner: asyncio.Runner


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    with asyncio.Runner() as runner:
        opened = open_house(tmp_path_factory.mktemp("house"))
        house = runner.run(opened.__aenter__())
        yield There(house, runner)
        runner.run(opened.__aexit__(None, None, None))


@pytest.mark.parametrize("operation", DECLARED, ids=repr)
def test_any_request_is_answered_as_declared(there: There, operation: Declared) -> None:
    """Whatever is sent, and whoever sends it: nobody, somebody of each role, and who may everything."""
    house, runner = there

    @given(st.data())
    @settings(
        max_examples=REQUESTS, derandomize=not LONG, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def ask(data: st.DataObject) -> None:
        person = data.draw(st.sampled_from(PEOPLE))
        request = data.draw(requests(operation, house))
        answer = runner.run(answered(house, person, operation, request))
        check(operation, person, request, answer)

    ask()


def test_every_route_for_everybody(there: There) -> None:
    async def run(house: House) -> None:
        asked = 0
        for operation in operations(house.cloud.app):
            asked += await check_nobody(house, operation)
            for role in Role:
                asked += await check_role(house, operation, role)
            asked += await check_administrator_of_all(house, operation)
        print(f"{asked} requests")

    there.runner.run(run(there.house))


async def check_nobody(house: House, operation: Operation) -> int:
    """Without a secret, and with one that is none."""
    for headers in ({}, {"Authorization": "Bearer linli_none"}, {"Cookie": "linli_session=none"}):
        async with house.cloud.client(**headers) as stranger:
            answer = await ask(stranger, operation, house.things[HERE])
            if operation.where == "public":
                assert reason(answer) not in REFUSED, (operation, answer.text)
            else:
                assert (answer.status_code, reason(answer)) == (401, "not_signed_in"), (operation, answer.text)
                assert answer.headers["www-authenticate"] == "Bearer"
    return 3


async def check_role(house: House, operation: Operation, role: Role) -> int:
    """Somebody of the first community, on its things and on the other's."""
    person = house.people[role.value]
    if operation.where == "public" or (operation.where == "signed_in" and operation.method == "DELETE"):
        return 0
    own = await ask(person, operation, house.things[HERE])
    foreign = await ask(person, operation, house.things[ELSEWHERE])
    has = operation.permission is None or operation.permission in MAY[role]
    if not has or operation.where == "everywhere":
        for answer in (own, foreign):
            assert (answer.status_code, reason(answer)) == (403, "not_allowed"), (operation, role, answer.text)
        return 2
    assert own.status_code != 401 and own.status_code < 500, (operation, role, own.text)
    assert reason(own) != "not_allowed" or "needs the permission" not in own.text, (operation, role, own.text)
    about = {"community_id", "facility_id", "gateway_id", "device_id", "command_id", "claim_id", "user_id"}
    names_one = any(f"{{{name}}}" in operation.path for name in about)
    if names_one or (operation.method == "POST" and operation.path.endswith(("/claims", "/push"))):
        assert own.status_code != 404, (operation, role, own.text)
        assert (foreign.status_code, reason(foreign)) == (404, "not_found"), (operation, role, foreign.text)
    for answer in (own, *([] if foreign.status_code == 404 else [foreign])):
        for word in (ELSEWHERE, house.things[ELSEWHERE].of["device_id"]):
            assert word not in answer.text, (operation, role, "shows what is another community's")
    return 2 + await check_filters(house, operation, role)


async def check_filters(house: House, operation: Operation, role: Role) -> int:
    """A list asked for the other community's things has none of them."""
    if operation.method != "GET" or "{" in operation.path:
        return 0
    takes = {
        parameter["name"]
        for parameter in openapi_document(house.cloud.app)["paths"][operation.path]["get"].get("parameters", [])
        if parameter["in"] == "query"
    }
    of = house.things[ELSEWHERE].of
    wanted = {"community": of["community_id"], "gateway": of["gateway_id"], "device": of["device_id"]}
    asked = 0
    for name in takes & wanted.keys():
        answer = await ask(house.people[role.value], operation, house.things[HERE], **{name: wanted[name]})
        assert answer.status_code in (200, 404), (operation, role, answer.text)
        if answer.status_code == 200 and "event-stream" not in answer.headers["content-type"]:
            assert answer.json().get("items", answer.json()) == [], (operation, role, answer.text)
        asked += 1
    return asked


async def check_administrator_of_all(house: House, operation: Operation) -> int:
    """Whoever may everything everywhere finds both communities' things."""
    if operation.where in ("public", "signed_in"):
        return 0
    for community in (HERE, ELSEWHERE):
        answer = await ask(house.cloud.http, operation, house.things[community])
        assert reason(answer) not in REFUSED and answer.status_code < 500, (operation, answer.text)
        if f"{community}-" in house.things[community].path(operation.path):
            assert answer.status_code != 404, (operation, answer.text)
    return 2


def test_a_route_that_says_nothing_is_not_built() -> None:
    app = FastAPI()

    @app.get("/forgotten")
    async def forgotten() -> str:
        return ""

    with pytest.raises(AccessUndeclared, match="/forgotten"):
        check_declared(app.routes, frozenset({"/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"}))


def test_the_document_says_who_may() -> None:
    document = json.loads((Path(__file__).parents[3] / "docs" / "openapi.json").read_text())
    said = document["paths"]["/api/v1/devices/{device_id}/commands"]["post"]["x-linli-access"]
    assert said == {
        "where": "communities",
        "permission": "command",
        "roles": ["administrator", "property_manager", "crew", "installer"],
    }
