"""Signing in by an OpenID Connect provider: who was invited comes in, and what does not hold lets nobody in."""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from cloud_api.people.models import IdentityRow, InvitationRow
from cloud_api.people.oidc import Client, Provider
from tests.integration.people.house import OWN_PAGE
from tests.integration.people.test_matrix import reason
from tests.integration.people.test_passkeys import asked, page
from tests.integration.people.test_passkeys import made as passkey_made
from tests.integration.people.test_sessions import US
from tests.oidc import CLIENT, SECRET, OidcProvider
from tests.passkeys import SoftPasskey
from tests.unit.cloud_http.cloud import NOW, Cloud, open_cloud

OURS, API = "/api/v1/sessions/provider", "/api/v1"
ISSUER = "https://login.example"
Act = Callable[[Cloud, OidcProvider, httpx.AsyncClient], Awaitable[None]]


@pytest.fixture(scope="module")
def with_a_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Act], None]]:
    """Runs an act in one cloud. browser: one that nobody has signed in with."""
    there: list[OidcProvider] = []
    with asyncio.Runner() as runner:
        opened = open_cloud(tmp_path_factory.mktemp("cloud"), provider=lambda clock: made(clock, there))
        cloud = runner.run(opened.__aenter__())

        async def run(act: Act) -> None:
            async with cloud.client(**OWN_PAGE) as browser:
                await act(cloud, there[0], browser)

        yield lambda act: runner.run(run(act))
        runner.run(opened.__aexit__(None, None, None))


def made(clock: Callable[[], int], there: list[OidcProvider]) -> Provider:
    """Over HTTP as the program speaks it, without a socket between."""
    there.append(OidcProvider(ISSUER, clock))
    http = httpx.AsyncClient(transport=httpx.ASGITransport(there[0].app))
    return Provider(Client(ISSUER, CLIENT, SECRET), http, clock)


async def begun(provider: OidcProvider, browser: httpx.AsyncClient) -> dict[str, str]:
    options = await browser.post(f"{OURS}/options")
    assert options.status_code == 200, options.text
    asked = httpx.URL(options.json()["authorization_url"]).params
    assert asked["redirect_uri"] == f"{browser.base_url}/sign-in/provider".replace("//sign", "/sign")
    assert min(len(asked["state"]), len(asked["nonce"]), len(asked["code_challenge"])) >= 43
    answer, path = await provider.signs_in(options.json()["authorization_url"])
    assert path == "/sign-in/provider"
    return answer


async def signed_in(provider: OidcProvider, browser: httpx.AsyncClient, **changes: str) -> httpx.Response:
    return await browser.post(OURS, json={"answer": await begun(provider, browser) | changes})


async def invite(cloud: Cloud, email: str | None = "chen.wei@EXAMPLE.org") -> None:
    body = {"grants": [{"role": "crew", "community_id": "willow"}], "email": email}
    answer = await cloud.http.post(f"{API}/invitations", json=body)
    assert answer.status_code == 201 and answer.json()["for_provider"], answer.text


def test_whom_an_invitation_is_meant_for_comes_in_and_again(with_a_provider: Callable[[Act], None]) -> None:
    async def act(cloud: Cloud, provider: OidcProvider, browser: httpx.AsyncClient) -> None:
        assert (await browser.get(OURS)).json() == {"name": "OpenID Connect"}
        assert reason(await signed_in(provider, browser)) == "not_invited"
        await invite(cloud)
        provider.changes = {"email_verified": False}
        assert reason(await signed_in(provider, browser)) == "not_invited", "the address may be anybody's"
        provider.changes = {"roles": ["administrator"], "groups": ["administrator"]}
        came = await signed_in(provider, browser)
        assert (came.status_code, came.json()["roles"], came.json()["provider"]) == (201, ["crew"], True), came.text
        assert (await browser.get(f"{API}/devices")).status_code == 200
        provider.changes = {"email": "another@example.org"}
        again = await signed_in(provider, browser)
        assert again.json()["user_id"] == came.json()["user_id"], "by the subject, whatever the address is now"
        provider.changes = {"sub": "chen-2"}
        assert reason(await signed_in(provider, browser)) == "not_invited", "the address has passed to somebody else"
        for password in ("", "nobody has this password"):
            body = {"name": came.json()["name"], "password": password}
            assert reason(await browser.post(f"{API}/sessions", json=body)) == "sign_in_refused"
        assert "example.org" not in str(await InvitationRow.all().values()) + str(await IdentityRow.all().values())
        await cloud.http.patch(f"{API}/users/{came.json()['user_id']}", json={"disabled": True})
        provider.changes = {}
        assert reason(await signed_in(provider, browser)) == "not_invited"

    with_a_provider(act)


def unsigned(token: str) -> str:
    header = urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    return f"{header}.{token.split('.')[1]}."


LIES: dict[str, dict[str, Any]] = {
    "another nonce": {"changes": {"nonce": "another"}},
    "no nonce": {"changes": {"nonce": None}},
    "another audience": {"changes": {"aud": "another client"}},
    "another authorized party": {"changes": {"aud": [CLIENT, "other"], "azp": "other"}},
    "another issuer": {"changes": {"iss": "https://evil.example"}},
    "expired": {"changes": {"exp": NOW // 1000 - 120}},
    "without an end": {"changes": {"exp": None}},
    "from tomorrow": {"changes": {"iat": NOW // 1000 + 86_400}},
    "no subject": {"changes": {"sub": None}},
    "a subject that is none": {"changes": {"sub": ["chen-1"]}},
    "alg none": {"sends": unsigned},
    "signed with our secret": {"header": {"alg": "HS256"}},
    "changed": {"sends": lambda token: token[:-8] + "AAAAAAAA"},
    "not a token": {"sends": lambda token: "x"},
    "signed with another key": {"key": ECKey.generate_key("P-256", {"kid": "first"})},
    "signed with a key that is not published": {"key": ECKey.generate_key("P-256", {"kid": "second"})},
}


def test_what_does_not_hold_lets_nobody_in(with_a_provider: Callable[[Act], None]) -> None:
    async def act(cloud: Cloud, provider: OidcProvider, browser: httpx.AsyncClient) -> None:
        provider.claims = {"sub": "liu-1", "email": "liu@example.org", "email_verified": True}
        await invite(cloud, "liu@example.org")
        honest = {name: getattr(provider, name) for name in ("changes", "sends", "header", "key")}
        for lie, how in LIES.items():
            cloud.now_ms += 0 if lie in ("expired", "from tomorrow") else 1
            for name, value in (honest | how).items():
                setattr(provider, name, value)
            answer = await signed_in(provider, browser)
            assert (answer.status_code, reason(answer)) == (401, "provider_refused"), (lie, answer.text)
        for name, value in honest.items():
            setattr(provider, name, value)
        for change in ({"state": "another"}, {"code": "another"}):
            assert reason(await signed_in(provider, browser, **change)) == "provider_refused"
        answer = await begun(provider, browser)
        async with cloud.client(**OWN_PAGE) as thief:
            assert reason(await thief.post(OURS, json={"answer": answer})) == "provider_refused", "another browser"
        assert (await browser.post(OURS, json={"answer": answer})).status_code == 201
        assert reason(await browser.post(OURS, json={"answer": answer})) == "provider_refused", "once"
        late = await begun(provider, browser)
        cloud.now_ms += 300_000
        assert reason(await browser.post(OURS, json={"answer": late})) == "provider_refused"
        provider.away = True
        answer = await signed_in(provider, browser)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        provider.away = False
        provider.key = ECKey.generate_key("P-256", {"kid": "next"})
        provider.published.append(provider.key)
        assert (await signed_in(provider, browser)).status_code == 201, "a new key of its is found"

    with_a_provider(act)


def test_a_user_connects_his_identity_and_keeps_his_second_factor(with_a_provider: Callable[[Act], None]) -> None:
    async def act(cloud: Cloud, provider: OidcProvider, browser: httpx.AsyncClient) -> None:
        provider.claims = {"sub": "root-1"}
        provider.changes = {}
        phone = SoftPasskey()
        async with page(cloud) as mine:
            await mine.post(f"{API}/sessions", json=US)
            answer = await mine.put(f"{API}/account/provider", json=await begun(provider, mine))
            assert answer.status_code == 204, answer.text
            assert (await mine.get(f"{API}/sessions/current")).json()["provider"]
            await passkey_made(mine, phone)
        async with page(cloud) as other:
            assert reason(await signed_in(provider, other)) == "passkey_needed"
            second = {"passkey": phone.show(await asked(other))}
            came = await other.post(OURS, json=second)
            assert (came.status_code, came.json()["roles"]) == (201, ["administrator"]), came.text
            assert reason(await other.post(OURS, json=second)) == "provider_refused", "once"
            assert (await other.delete(f"{API}/account/provider")).status_code == 204
            assert reason(await signed_in(provider, other)) == "not_invited"

    with_a_provider(act)
