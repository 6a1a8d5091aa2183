"""Passkeys, by one in software: they sign in once an answer, from our page, their owner, and not a copy of them."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud_api.people.models import PasskeyRow
from cloud_api.people.roles import Role
from cloud_api.people.sessions import FRESH_MS
from tests.integration.people.house import OWN_PAGE
from tests.integration.people.test_matrix import reason
from tests.integration.people.test_sessions import US, invited, with_door
from tests.passkeys import PRESENT, SoftPasskey
from tests.unit.cloud_http.cloud import ADMINISTRATOR, PASSWORD, Cloud, open_cloud

API = "/api/v1"
OURS, ACCOUNT = f"{API}/sessions/passkey", f"{API}/account/passkeys"


def at_localhost(folder: Path, act: Callable[[Cloud, httpx.AsyncClient], Awaitable[None]]) -> None:
    """browser: the administrator's, signed in by password, at a page of localhost."""

    async def run() -> None:
        async with open_cloud(folder) as cloud, page(cloud) as browser:
            assert (await browser.post(f"{API}/sessions", json=US)).status_code == 201
            await act(cloud, browser)

    asyncio.run(run())


def page(cloud: Cloud) -> httpx.AsyncClient:
    browser = cloud.client(**OWN_PAGE)
    browser.base_url = httpx.URL("http://localhost")
    return browser


async def asked(browser: httpx.AsyncClient, path: str = OURS) -> Any:
    answer = await browser.post(f"{path}/options")
    assert answer.status_code == 200, answer.text
    return answer.json()["public_key"]


async def made(browser: httpx.AsyncClient, passkey: SoftPasskey, name: str = "phone") -> dict[str, Any]:
    body = {"name": name, "credential": passkey.make(await asked(browser, ACCOUNT))}
    answer = await browser.post(ACCOUNT, json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_it_is_made_named_used_and_removed(tmp_path: Path) -> None:
    async def act(cloud: Cloud, browser: httpx.AsyncClient) -> None:
        phone = SoftPasskey()
        kept = await made(browser, phone)
        assert [each["id"] for each in (await browser.get(ACCOUNT)).json()["items"]] == [kept["id"]]
        again = await asked(browser, ACCOUNT)
        assert len(again["excludeCredentials"]) == 1, "no device makes a second one"
        assert (await browser.post(ACCOUNT, json={"name": "x", "credential": phone.make(again)})).status_code == 409
        renamed = await browser.patch(f"{ACCOUNT}/{kept['id']}", json={"name": "old phone"})
        assert (renamed.status_code, renamed.json()["name"]) == (200, "old phone")

        async with page(cloud) as other:
            options = await asked(other)
            assert "allowCredentials" not in options and options["userVerification"] == "required"
            came = await other.post(OURS, json={"credential": phone.show(options)})
            assert (came.status_code, came.json()["name"], came.json()["passkeys"]) == (201, ADMINISTRATOR, 1), (
                came.text
            )
            assert (await other.get(f"{API}/devices")).status_code == 200
            assert (await other.get(ACCOUNT)).json()["items"][0]["used_ms"] == cloud.now_ms

            await other.delete(f"{API}/sessions/current")
            assert reason(await other.post(f"{API}/sessions", json=US)) == "passkey_needed", (
                "the password is not enough"
            )
            second = {**US, "passkey": phone.show(await asked(other))}
            assert (await other.post(f"{API}/sessions", json=second)).status_code == 201

            cloud.now_ms += FRESH_MS
            assert reason(await other.delete(f"{ACCOUNT}/{kept['id']}")) == "sign_in_again"
            assert reason(await other.post(f"{ACCOUNT}/options")) == "sign_in_again"
            assert (await other.post(OURS, json={"credential": phone.show(await asked(other))})).status_code == 201
            assert (await other.delete(f"{ACCOUNT}/{kept['id']}")).status_code == 204
            refused = await other.post(OURS, json={"credential": phone.show(await asked(other))})
            assert reason(refused) == "sign_in_refused"
            assert (await other.post(f"{API}/sessions", json=US)).status_code == 201, "now it is enough again"

    at_localhost(tmp_path, act)


def test_an_answer_that_is_not_its_own_is_refused(tmp_path: Path) -> None:
    async def act(cloud: Cloud, browser: httpx.AsyncClient) -> None:
        phone = SoftPasskey()
        await made(browser, phone)

        async def status(other: httpx.AsyncClient, credential: dict[str, Any]) -> tuple[int, str]:
            answer = await other.post(OURS, json={"credential": credential})
            return answer.status_code, reason(answer)

        refused = (401, "sign_in_refused")
        async with page(cloud) as other, page(cloud) as thief:
            first = phone.show(await asked(other))
            assert await status(other, first) == (201, "")
            assert await status(other, first) == refused, "replayed: its challenge was used"
            assert await status(thief, first) == refused, "in a browser that asked nothing"
            mine = phone.show(await asked(other))
            await asked(thief)
            assert await status(thief, mine) == refused, "to another browser's challenge"
            phone.origin = "http://localhost:9999"
            assert await status(other, phone.show(await asked(other))) == refused, "from another page"
            phone.origin = "http://localhost"
            options = await asked(other)
            assert await status(other, phone.show({**options, "rpId": "evil.example"})) == refused, "for another site"
            assert await status(other, phone.show(await asked(other), PRESENT)) == refused, "without a finger or a PIN"
            late = phone.show(await asked(other))
            cloud.now_ms += 300_000
            assert await status(other, late) == refused, "too late"
            stranger = SoftPasskey()
            assert await status(other, stranger.show(await asked(other))) == refused, "nobody's"
            stranger.credential_id = phone.credential_id
            cloud.now_ms += 900_000  # too many have failed under this name
            assert await status(other, stranger.show(await asked(other))) == refused, "another key under its name"
            copied = phone.counter
            assert await status(other, phone.show(await asked(other))) == (201, "")
            phone.counter = copied
            assert await status(other, phone.show(await asked(other))) == refused, "a copy: its counter stands still"

    at_localhost(tmp_path, act)


def test_anothers_passkey_is_no_second_factor_of_mine(tmp_path: Path) -> None:
    async def act(cloud: Cloud, browser: httpx.AsyncClient) -> None:
        await made(browser, SoftPasskey())
        crew = await invited(cloud, "crew", Role.CREW)
        crew.base_url = httpx.URL("http://localhost")
        assert (await crew.post(f"{API}/sessions", json={"name": "crew", "password": PASSWORD})).status_code == 201
        theirs = SoftPasskey()
        await made(crew, theirs)
        async with page(cloud) as thief:
            body = {**US, "passkey": theirs.show(await asked(thief))}
            assert reason(await thief.post(f"{API}/sessions", json=body)) == "sign_in_refused"
        row = await PasskeyRow.get(name="phone", user_id=(await crew.get(f"{API}/sessions/current")).json()["user_id"])
        assert (await browser.delete(f"{ACCOUNT}/{row.id}")).status_code == 404
        assert (await browser.patch(f"{ACCOUNT}/{row.id}", json={"name": "mine"})).status_code == 404
        await crew.aclose()

    at_localhost(tmp_path, act)


def test_making_one_needs_the_right_answer_in_the_same_session(tmp_path: Path) -> None:
    async def act(cloud: Cloud, browser: httpx.AsyncClient) -> None:
        with_door(cloud, require_totp=True)
        assert (await browser.get(f"{API}/sessions/current")).json()["authenticator_missing"]

        async def refused(credential: dict[str, Any]) -> str:
            return reason(await browser.post(ACCOUNT, json={"name": "x", "credential": credential}))

        phone = SoftPasskey()
        answer = phone.make(await asked(browser, ACCOUNT))
        async with page(cloud) as other:
            await other.post(f"{API}/sessions", json=US)
            elsewhere = await other.post(ACCOUNT, json={"name": "x", "credential": answer})
            assert reason(elsewhere) == "passkey_refused", "another session of the same person"
        phone.origin = "https://evil.example"
        assert await refused(phone.make(await asked(browser, ACCOUNT))) == "passkey_refused"
        phone.origin = "http://localhost"
        assert await refused(phone.make(await asked(browser, ACCOUNT), PRESENT)) == "passkey_refused"
        assert await refused(answer) == "passkey_refused", "an old challenge"
        junk = {**answer, "response": {**answer["response"], "attestationObject": "AAAA"}}
        await asked(browser, ACCOUNT)
        assert await refused(junk) == "passkey_refused"
        await made(browser, phone)
        assert not (await browser.get(f"{API}/sessions/current")).json()["authenticator_missing"]
        assert reason(await cloud.http.post(f"{ACCOUNT}/options")) == "not_allowed", "machines have none"

    at_localhost(tmp_path, act)


@pytest.mark.parametrize(
    ("public_url", "at", "usable"),
    [
        ("", "http://127.0.0.1", False),
        ("https://linli.example", "https://linli.example", True),
        ("", "http://localhost", True),
    ],
)
def test_they_are_bound_to_the_name_that_the_settings_give(
    tmp_path: Path, public_url: str, at: str, usable: bool
) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path, public_url=public_url) as cloud, cloud.client(**OWN_PAGE) as browser:
            browser.base_url = httpx.URL(at)
            answer = await browser.post(f"{OURS}/options")
            assert (answer.status_code, reason(answer)) == ((200, "") if usable else (409, "no_passkeys"))
            if usable:
                assert answer.json()["public_key"]["rpId"] == httpx.URL(at).host

    asyncio.run(run())
