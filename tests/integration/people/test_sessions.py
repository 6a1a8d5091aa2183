"""Sessions in the application: what the cookie is like, what ends it, and what no other page can do with it."""

import asyncio
import base64
import contextlib
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from argon2 import PasswordHasher, extract_parameters

from cloud_api.people.accounts import seal_old_secrets
from cloud_api.people.limits import ACCOUNT_MAX
from cloud_api.people.models import UserRow
from cloud_api.people.passwords import Passwords
from cloud_api.people.roles import Role
from cloud_api.people.sessions import ABSOLUTE_MS, IDLE_MS
from cloud_api.people.totp import STEP_MS, code_at
from tests.integration.people.house import OWN_PAGE
from tests.integration.people.test_matrix import reason
from tests.unit.cloud_http.cloud import ADMINISTRATOR, PASSWORD, Cloud, open_cloud

SESSIONS, CURRENT = "/api/v1/sessions", "/api/v1/sessions/current"
US = {"name": ADMINISTRATOR, "password": PASSWORD}


def in_a_cloud(folder: Path, act: object) -> None:
    async def run() -> None:
        async with open_cloud(folder) as cloud, cloud.client(**OWN_PAGE) as browser:
            await act(cloud, browser)  # type: ignore[operator]

    asyncio.run(run())


def with_door(cloud: Cloud, **changes: object) -> None:
    """The same cloud with other settings."""
    parts = cloud.app.state.parts
    cloud.app.state.parts = replace(parts, door=replace(parts.door, **changes))


async def invited(cloud: Cloud, name: str, role: Role, community: str | None = "willow") -> httpx.AsyncClient:
    grants = [{"role": role.value, "community_id": community}]
    code = (await cloud.http.post("/api/v1/invitations", json={"grants": grants})).json()["code"]
    browser = cloud.client(**OWN_PAGE)
    body = {"code": code, "name": name, "password": PASSWORD}
    answer = await browser.post("/api/v1/invitations/accept", json=body)
    assert answer.status_code == 201, answer.text
    return browser


@pytest.mark.parametrize("secure", [False, True])
def test_the_cookie(tmp_path: Path, secure: bool) -> None:
    async def act(cloud: Cloud, browser: httpx.AsyncClient) -> None:
        browser.base_url = httpx.URL("https://linli.example" if secure else "http://127.0.0.1")
        answer = await browser.post(SESSIONS, json=US)
        assert answer.status_code == 201
        name, *rest = answer.headers["set-cookie"].split("; ")
        attributes = {part.partition("=")[0].lower(): part.partition("=")[2] for part in rest}
        assert name.startswith("__Host-linli_session=" if secure else "linli_session=")
        assert len(name.partition("=")[2]) >= 43, "256 bits"
        assert "httponly" in attributes and attributes["samesite"] == "strict" and attributes["path"] == "/"
        assert ("secure" in attributes) == secure and "domain" not in attributes
        assert ("strict-transport-security" in answer.headers) == secure
        assert answer.headers["cache-control"] == "no-store"
        body = answer.json()
        assert (body["roles"], body["communities"]) == (["administrator"], None) and PASSWORD not in answer.text

    in_a_cloud(tmp_path, act)


def test_no_password_over_an_open_wire(tmp_path: Path) -> None:
    async def act(cloud: Cloud, browser: httpx.AsyncClient) -> None:
        browser.base_url = httpx.URL("http://linli.example")
        answer = await browser.post(SESSIONS, json=US)
        assert (answer.status_code, reason(answer)) == (403, "https_needed")

    in_a_cloud(tmp_path, act)


def test_a_planted_session_is_worth_nothing_afterwards(tmp_path: Path) -> None:
    """Fixation: whoever gave the browser its cookie has neither the new session nor the old one."""

    async def act(cloud: Cloud, browser: httpx.AsyncClient) -> None:
        attacker = await invited(cloud, "mallory", Role.RESIDENT)
        planted = attacker.cookies["linli_session"]
        browser.cookies.set("linli_session", planted, domain="127.0.0.1")
        assert (await browser.post(SESSIONS, json=US)).status_code == 201
        async with cloud.client(Cookie=f"linli_session={planted}") as again:
            assert (await again.get(CURRENT)).status_code == 401
        for made_up in ("x" * 43, ""):
            async with cloud.client(**OWN_PAGE, Cookie=f"linli_session={made_up}") as other:
                answer = await other.post(SESSIONS, json=US)
                assert made_up == "" or made_up not in answer.headers["set-cookie"]
        await attacker.aclose()

    in_a_cloud(tmp_path, act)


def test_a_session_ends_by_signing_out_idleness_age_and_a_new_password(tmp_path: Path) -> None:
    async def act(cloud: Cloud, browser: httpx.AsyncClient) -> None:
        async def status() -> int:
            return (await browser.get(CURRENT)).status_code

        await browser.post(SESSIONS, json=US)
        kept = browser.cookies["linli_session"]
        assert (await browser.delete(CURRENT)).status_code == 204
        async with cloud.client(Cookie=f"linli_session={kept}") as copied:
            assert (await copied.get(CURRENT)).status_code == 401, "the cookie after signing out"

        await browser.post(SESSIONS, json=US)
        cloud.now_ms += IDLE_MS - 1
        assert await status() == 200
        cloud.now_ms += IDLE_MS - 1
        assert await status() == 200, "a request keeps it alive"
        cloud.now_ms += IDLE_MS
        assert await status() == 401, "half an hour of nothing"

        await browser.post(SESSIONS, json=US)
        for _ in range(ABSOLUTE_MS // (IDLE_MS - 1)):
            cloud.now_ms += IDLE_MS - 1
            assert await status() == 200
        cloud.now_ms += IDLE_MS - 1
        assert await status() == 401, "twelve hours, however busy"

        await browser.post(SESSIONS, json=US)
        async with cloud.client(**OWN_PAGE) as other:
            await other.post(SESSIONS, json=US)
            change = {"old": PASSWORD, "new": "another lantern seven hills"}
            assert (await browser.put("/api/v1/account/password", json=change)).status_code == 204
            assert (await other.get(CURRENT)).status_code == 401, "all other sessions end"
            assert await status() == 200
            assert reason(await other.post(SESSIONS, json=US)) == "sign_in_refused"
        weak = {"old": "another lantern seven hills", "new": "passwordpassword"}
        assert reason(await browser.put("/api/v1/account/password", json=weak)) == "password_refused"

    in_a_cloud(tmp_path, act)


def test_where_one_is_signed_in_and_the_end_of_it_there(tmp_path: Path) -> None:
    async def act(cloud: Cloud, browser: httpx.AsyncClient) -> None:
        another = await invited(cloud, "lin", Role.CREW)
        async with cloud.client(**OWN_PAGE) as elsewhere, contextlib.aclosing(another):
            own = "/api/v1/account/sessions"
            assert (await browser.post(SESSIONS, json=US)).status_code == 201
            before = {each["id"] for each in (await browser.get(own)).json()["items"]}
            assert (await elsewhere.post(SESSIONS, json=US)).status_code == 201
            mine = (await browser.get(own)).json()["items"]
            assert [each["id"] in before for each in mine if each["current"]] == [True], "the one that asks"
            (there,) = {each["id"] for each in mine} - before
            assert reason(await another.post(f"{own}/{there}/end")) == "not_found", "somebody else's"
            assert (await browser.post(f"{own}/{there}/end")).status_code == 204
            assert reason(await elsewhere.get(CURRENT)) == "not_signed_in"
            assert (await browser.get(CURRENT)).status_code == 200
            assert reason(await cloud.http.get(own)) == "not_allowed", "a token has no sessions"

    in_a_cloud(tmp_path, act)


def test_another_page_can_change_nothing(tmp_path: Path) -> None:
    async def act(cloud: Cloud, browser: httpx.AsyncClient) -> None:
        evil = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        assert reason(await browser.post(SESSIONS, json=US, headers=evil)) == "foreign_page"
        await browser.post(SESSIONS, json=US)
        changes = [
            ("PUT", "/api/v1/communities/elm", {"name": {"zh": "榆", "en": "Elm"}}),
            ("POST", "/api/v1/tokens", {"name": "x", "grants": [{"role": "administrator", "community_id": None}]}),
            ("DELETE", CURRENT, None),
        ]
        foreign = [
            evil, {"Origin": "null"}, {"Origin": "http://127.0.0.1:9999"}, {"Sec-Fetch-Site": "same-site"},
            {"X-Requested-With": ""},
        ]  # fmt: skip
        for method, path, body in changes:
            for headers in foreign:
                answer = await browser.request(method, path, json=body, headers=headers)
                assert (answer.status_code, reason(answer)) == (403, "foreign_page"), (method, path, headers)
        assert (await browser.get("/api/v1/communities/elm")).status_code == 404
        form = await browser.put(changes[0][1], content=b"name=elm", headers={"Content-Type": "text/plain"})
        assert form.status_code == 422
        ours = {"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin"}
        assert (await browser.put(changes[0][1], json=changes[0][2], headers=ours)).status_code == 200

    in_a_cloud(tmp_path, act)


def test_what_is_taken_from_somebody_is_gone_at_once(tmp_path: Path) -> None:
    """Role change and disabling: sessions end, tokens are worth what is left, unused invitations are withdrawn."""

    async def act(cloud: Cloud, browser: httpx.AsyncClient) -> None:
        manager = await invited(cloud, "manager", Role.PROPERTY_MANAGER)
        user = (await manager.get(CURRENT)).json()["user_id"]
        grants = [{"role": "crew", "community_id": "willow"}]
        token = (await manager.post("/api/v1/tokens", json={"name": "t", "grants": grants})).json()["secret"]
        code = (await manager.post("/api/v1/invitations", json={"grants": grants})).json()["code"]
        async with cloud.client(Authorization=f"Bearer {token}") as machine:
            assert (await machine.get("/api/v1/devices")).status_code == 200
            less = {"grants": [{"role": "supervising_authority", "community_id": "willow"}]}
            assert (await cloud.http.patch(f"/api/v1/users/{user}", json=less)).status_code == 200
            assert (await manager.get(CURRENT)).status_code == 401
            assert (await machine.get("/api/v1/devices")).status_code == 403, "crew is more than its maker is now"
            assert (await cloud.http.patch(f"/api/v1/users/{user}", json={"disabled": True})).status_code == 200
            assert (await machine.get("/api/v1/devices")).status_code == 401
        assert reason(await manager.post(SESSIONS, json={"name": "manager", "password": PASSWORD})) == "sign_in_refused"
        accept = {"code": code, "name": "late", "password": PASSWORD}
        assert reason(await browser.post("/api/v1/invitations/accept", json=accept)) == "invitation_refused"
        await manager.aclose()

    in_a_cloud(tmp_path, act)


def test_nobody_raises_himself(tmp_path: Path) -> None:
    async def act(cloud: Cloud, browser: httpx.AsyncClient) -> None:
        manager = await invited(cloud, "manager", Role.PROPERTY_MANAGER)
        me = (await manager.get(CURRENT)).json()["user_id"]
        boss = (await cloud.http.get(CURRENT)).json()["user_id"]
        everything = [{"role": "administrator", "community_id": None}]
        other_place = [{"role": "crew", "community_id": "oaktree"}]
        for path, body in [
            ("invitations", {"grants": everything}), ("invitations", {"grants": other_place}),
            ("tokens", {"name": "t", "grants": everything}),
        ]:  # fmt: skip
            assert reason(await manager.post(f"/api/v1/{path}", json=body)) == "not_allowed"
        assert reason(await manager.patch(f"/api/v1/users/{me}", json={"grants": everything})) == "not_allowed"
        assert (await manager.patch(f"/api/v1/users/{boss}", json={"disabled": True})).status_code == 404
        alone = await cloud.http.patch(f"/api/v1/users/{boss}", json={"disabled": True})
        assert (alone.status_code, reason(alone)) == (409, "conflict"), "an administrator has to be left"
        await manager.aclose()

    in_a_cloud(tmp_path, act)


def test_an_invitation_is_good_once(tmp_path: Path) -> None:
    async def act(cloud: Cloud, browser: httpx.AsyncClient) -> None:
        grants = [{"role": "crew", "community_id": "willow"}]
        code = (await cloud.http.post("/api/v1/invitations", json={"grants": grants})).json()["code"]
        browsers = [cloud.client(**OWN_PAGE) for _ in range(4)]
        tries = [
            each.post("/api/v1/invitations/accept", json={"code": code, "name": f"n{number}", "password": PASSWORD})
            for number, each in enumerate(browsers)
        ]
        answers = await asyncio.gather(*tries)
        assert sorted(answer.status_code for answer in answers) == [201, 403, 403, 403]
        for each in browsers:
            await each.aclose()
        assert not (await cloud.http.get("/api/v1/invitations")).text.count(code)
        for name in ("line\nbreak", "sl/ash", " ", "x" * 65):
            body = {"code": code, "name": name, "password": PASSWORD}
            assert (await browser.post("/api/v1/invitations/accept", json=body)).status_code == 422

    in_a_cloud(tmp_path, act)


def test_an_authenticators_code_is_needed_and_good_once(tmp_path: Path) -> None:
    async def act(cloud: Cloud, browser: httpx.AsyncClient) -> None:
        with_door(cloud, require_totp=True)
        await browser.post(SESSIONS, json=US)
        limited = (await browser.get(CURRENT)).json()
        assert limited["authenticator_missing"] and limited["permissions"] == {}
        assert reason(await browser.get("/api/v1/devices")) == "not_allowed"
        link = (await browser.post("/api/v1/account/authenticator")).json()["link"]
        text = parse_qs(urlsplit(link).query)["secret"][0]
        secret = base64.b32decode(text + "=" * (-len(text) % 8))

        def code() -> str:
            return code_at(secret, cloud.now_ms // STEP_MS)

        assert (await browser.put("/api/v1/account/authenticator", json={"code": code()})).status_code == 204
        assert (await browser.get("/api/v1/devices")).status_code == 200
        assert reason(await browser.post(SESSIONS, json=US)) == "code_needed"
        assert reason(await browser.post(SESSIONS, json={**US, "totp": code()})) == "sign_in_refused", "it was used"
        kept = (await UserRow.get(key=ADMINISTRATOR)).totp_secret
        assert secret.hex() not in kept and text not in kept, "it is sealed"
        await UserRow.filter(key=ADMINISTRATOR).update(totp_secret=secret.hex())  # as it was kept in clear before
        await seal_old_secrets(cloud.app.state.parts.door.key)
        assert secret.hex() not in (await UserRow.get(key=ADMINISTRATOR)).totp_secret
        cloud.now_ms += STEP_MS
        assert (await browser.post(SESSIONS, json={**US, "totp": code()})).status_code == 201
        assert reason(await browser.post(SESSIONS, json={**US, "totp": code()})) == "sign_in_refused", "it was used"

    in_a_cloud(tmp_path, act)


def test_after_five_failures_it_waits_and_others_do_not(tmp_path: Path) -> None:
    async def act(cloud: Cloud, browser: httpx.AsyncClient) -> None:
        other = await invited(cloud, "other", Role.CREW)
        for name in (ADMINISTRATOR, "nobody-of-this-name"):
            wrong = {"name": name, "password": "wrong"}
            said = [await browser.post(SESSIONS, json=wrong) for _ in range(ACCOUNT_MAX + 3)]
            assert [reason(each) for each in said] == ["sign_in_refused"] * ACCOUNT_MAX + ["too_many_attempts"] * 3
            assert int(said[-1].headers["retry-after"]) <= 900
            bodies = {each.text.replace(each.json()["request_id"], "") for each in said[:ACCOUNT_MAX]}
            assert len(bodies) == 1
        assert reason(await browser.post(SESSIONS, json=US)) == "too_many_attempts", "also with the right one"
        assert (await other.post(SESSIONS, json={"name": "OTHER", "password": PASSWORD})).status_code == 201
        cloud.now_ms += 900_000
        assert (await browser.post(SESSIONS, json=US)).status_code == 201
        await other.aclose()

    in_a_cloud(tmp_path, act)


def test_hashes_are_made_anew_when_the_parameters_change(tmp_path: Path) -> None:
    async def act(cloud: Cloud, browser: httpx.AsyncClient) -> None:
        before = (await UserRow.get(key=ADMINISTRATOR)).password_hash
        with_door(cloud, passwords=Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)))
        assert (await browser.post(SESSIONS, json=US)).status_code == 201
        after = (await UserRow.get(key=ADMINISTRATOR)).password_hash
        assert (extract_parameters(before).time_cost, extract_parameters(after).time_cost) == (1, 2)
        assert (await browser.post(SESSIONS, json=US)).status_code == 201

    in_a_cloud(tmp_path, act)
