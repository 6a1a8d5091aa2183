"""Passkeys, by one in software: they sign in once an answer, from our page, their owner, and not a copy of them."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import Any

import httpx
import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_api.people import webauthn
from cloud_api.people.roles import Role
from cloud_api.people.sessions import FRESH_MS
from tests.integration.people.house import OWN_PAGE
from tests.integration.people.test_matrix import reason
from tests.integration.people.test_sessions import invited, with_door
from tests.passkeys import PRESENT, SoftPasskey, text
from tests.unit.cloud_http.cloud import PASSWORD, Cloud, open_cloud

API = "/api/v1"
OURS, ACCOUNT = f"{API}/sessions/passkey", f"{API}/account/passkeys"


Act = Callable[[Cloud, httpx.AsyncClient], Awaitable[None]]
names = map("somebody{}".format, itertools.count())


@pytest.fixture(scope="module")
def at_localhost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Act], None]]:
    """Runs an act in one cloud. browser: of a newcomer, signed in by password at a page of localhost."""
    with asyncio.Runner() as runner:
        opened = open_cloud(tmp_path_factory.mktemp("cloud"))
        cloud = runner.run(opened.__aenter__())

        async def run(act: Act) -> None:
            async with aclosing(await newcomer(cloud)) as browser:
                await act(cloud, browser)

        yield lambda act: runner.run(run(act))
        runner.run(opened.__aexit__(None, None, None))


async def newcomer(cloud: Cloud) -> httpx.AsyncClient:
    name = next(names)
    browser = await invited(cloud, name, Role.CREW)
    browser.base_url = httpx.URL("http://localhost")
    assert (await browser.post(f"{API}/sessions", json={"name": name, "password": PASSWORD})).status_code == 201
    return browser


async def us(browser: httpx.AsyncClient) -> dict[str, Any]:
    """Name and password of who has signed in."""
    return {"name": (await browser.get(f"{API}/sessions/current")).json()["name"], "password": PASSWORD}


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


def test_it_is_made_named_used_and_removed(at_localhost: Callable[[Act], None]) -> None:
    async def act(cloud: Cloud, browser: httpx.AsyncClient) -> None:
        mine, phone = await us(browser), SoftPasskey()
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
            assert (came.status_code, came.json()["name"], came.json()["passkeys"]) == (201, mine["name"], 1), came.text
            assert (await other.get(f"{API}/devices")).status_code == 200
            assert (await other.get(ACCOUNT)).json()["items"][0]["used_ms"] == cloud.now_ms

            await other.delete(f"{API}/sessions/current")
            assert reason(await other.post(f"{API}/sessions", json=mine)) == "passkey_needed", (
                "the password is not enough"
            )
            second = {**mine, "passkey": phone.show(await asked(other))}
            assert (await other.post(f"{API}/sessions", json=second)).status_code == 201

            cloud.now_ms += FRESH_MS
            assert reason(await other.delete(f"{ACCOUNT}/{kept['id']}")) == "sign_in_again"
            assert reason(await other.post(f"{ACCOUNT}/options")) == "sign_in_again"
            assert (await other.post(OURS, json={"credential": phone.show(await asked(other))})).status_code == 201
            assert (await other.delete(f"{ACCOUNT}/{kept['id']}")).status_code == 204
            refused = await other.post(OURS, json={"credential": phone.show(await asked(other))})
            assert reason(refused) == "sign_in_refused"
            assert (await other.post(f"{API}/sessions", json=mine)).status_code == 201, "now it is enough again"

    at_localhost(act)


def test_an_answer_that_is_not_its_own_is_refused(at_localhost: Callable[[Act], None]) -> None:
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
            theirs = phone.show(await asked(other))
            await asked(thief)
            assert await status(thief, theirs) == refused, "to another browser's challenge"
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

    at_localhost(act)


def test_anothers_passkey_is_no_second_factor_of_mine(at_localhost: Callable[[Act], None]) -> None:
    async def act(cloud: Cloud, browser: httpx.AsyncClient) -> None:
        mine, theirs = await us(browser), SoftPasskey()
        await made(browser, SoftPasskey())
        async with aclosing(await newcomer(cloud)) as other, page(cloud) as thief:
            kept = await made(other, theirs)
            body = {**mine, "passkey": theirs.show(await asked(thief))}
            assert reason(await thief.post(f"{API}/sessions", json=body)) == "sign_in_refused"
        assert (await browser.delete(f"{ACCOUNT}/{kept['id']}")).status_code == 404
        assert (await browser.patch(f"{ACCOUNT}/{kept['id']}", json={"name": "mine"})).status_code == 404

    at_localhost(act)


def test_making_one_needs_the_right_answer_in_the_same_session(at_localhost: Callable[[Act], None]) -> None:
    async def act(cloud: Cloud, browser: httpx.AsyncClient) -> None:
        mine = await us(browser)
        with_door(cloud, require_totp=True)
        assert (await browser.get(f"{API}/sessions/current")).json()["authenticator_missing"]

        async def refused(credential: dict[str, Any]) -> str:
            return reason(await browser.post(ACCOUNT, json={"name": "x", "credential": credential}))

        phone = SoftPasskey()
        answer = phone.make(await asked(browser, ACCOUNT))
        async with page(cloud) as other:
            await other.post(f"{API}/sessions", json=mine)
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
        with_door(cloud, require_totp=False)
        assert reason(await cloud.http.post(f"{ACCOUNT}/options")) == "not_allowed", "machines have none"

    at_localhost(act)


OURS_BY_NAME = webauthn.Site("linli.example", "https://linli.example")


@pytest.mark.parametrize(
    ("public_url", "at", "site"),
    [
        ("", "http://127.0.0.1:8080", None),
        ("", "http://linli.example", None),
        ("https://10.0.0.7", "https://10.0.0.7", None),
        ("https://linli.example", "https://evil.example", OURS_BY_NAME),
        ("", "http://localhost:8080", webauthn.Site("localhost", "http://localhost:8080")),
    ],
)
def test_they_are_bound_to_the_name_that_the_settings_give(
    public_url: str, at: str, site: webauthn.Site | None
) -> None:
    assert webauthn.site_at(public_url, at) == site


@given(
    st.dictionaries(
        st.sampled_from(["clientDataJSON", "authenticatorData", "attestationObject", "signature"]), st.binary()
    )
)
@hypothesis.settings(max_examples=100, deadline=None)
def test_what_is_no_answer_is_refused_and_nothing_else(response: dict[str, bytes]) -> None:
    answer = {"id": "AA", "rawId": "AA", "type": "public-key"}
    said = {name: text(each) for name, each in response.items()}
    state = webauthn.ask_for_one(OURS_BY_NAME)[1]
    with pytest.raises(webauthn.PasskeyRefused):
        webauthn.new_passkey(OURS_BY_NAME, state, {**answer, "response": said})
    with pytest.raises(webauthn.PasskeyRefused):
        webauthn.check_shown(OURS_BY_NAME, state, b"", 0, "user-1", {**answer, "response": said})
