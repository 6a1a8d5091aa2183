"""The demo's accounts: one a role, with names and passwords made anew for each data folder, and a token for scripts.

The administrator comes in as on any fresh machine, by the code in the cloud's data folder; the others are invited.
"""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from simulators.demo.secret_file import write_secret

COMMUNITY = "liuyuan"
ADMINISTRATOR = "administrator"
ROLES: Mapping[str, str | None] = {
    ADMINISTRATOR: None,
    "property_manager": COMMUNITY,
    "crew": COMMUNITY,
    "installer": COMMUNITY,
    "resident": COMMUNITY,
    "supervising_authority": None,
}
"""Role -> the community it is given for; None: all."""
FIRST_CODE = Path("cloud") / "first-administrator.code"
ACCOUNTS = "accounts.json"
VALID_S = 90 * 86_400


class Account(NamedTuple):
    """Somebody of the demo. token: "" until it is made."""

    name: str
    password: str
    token: str


def _grant(role: str) -> list[dict[str, str | None]]:
    return [{"role": role, "community_id": ROLES[role]}]


def page_client(url: str) -> httpx.AsyncClient:
    """A client that asks as the console's pages do."""
    return httpx.AsyncClient(base_url=f"{url}/api/v1", timeout=20, headers={"X-Requested-With": "linli"})


def token_client(url: str, token: str) -> httpx.AsyncClient:
    """A client that asks as a machine does."""
    return httpx.AsyncClient(base_url=f"{url}/api/v1", timeout=20, headers={"Authorization": f"Bearer {token}"})


async def make_accounts(url: str, data_dir: Path) -> dict[str, Account]:
    """Role -> account; those that are there already stay. May be repeated after being cut off. Raises httpx.HTTPError."""
    file = data_dir / ACCOUNTS
    accounts = _read(file) or {role: Account(role, secrets.token_urlsafe(12), "") for role in ROLES}
    _keep(file, accounts)  # before the cloud knows them: a password that nobody has kept would lock us out
    async with page_client(url) as boss:
        await _administrator(boss, accounts[ADMINISTRATOR], data_dir / FIRST_CODE)
        known = {user["name"] for user in (await _said(await boss.get("users", params={"limit": 1000})))["items"]}
        for role, account in accounts.items():
            if account.name not in known:
                invitation = await _said(await boss.post("invitations", json={"grants": _grant(role)}))
                async with page_client(url) as newcomer:
                    await _accept(newcomer, invitation["code"], account)
            if not account.token or not await _is_good(url, account.token):
                body = {"name": f"demo-{role}", "grants": _grant(role), "valid_s": VALID_S}
                made = await _said(await boss.post("tokens", json=body))
                accounts[role] = account._replace(token=made["secret"])
    _keep(file, accounts)
    return accounts


async def _administrator(boss: httpx.AsyncClient, account: Account, code: Path) -> None:
    try:
        text = code.read_text()  # noqa: ASYNC240 (a local file)
    except FileNotFoundError:
        await _said(await boss.post("sessions", json={"name": account.name, "password": account.password}))
    else:
        await _accept(boss, text, account)


async def _accept(client: httpx.AsyncClient, code: str, account: Account) -> None:
    body = {"code": code, "name": account.name, "password": account.password}
    await _said(await client.post("invitations/accept", json=body))


async def _is_good(url: str, token: str) -> bool:
    async with token_client(url, token) as client:
        return (await client.get("sessions/current")).status_code == 200


async def _said(answer: httpx.Response) -> Any:
    answer.raise_for_status()
    return answer.json()


def _read(file: Path) -> dict[str, Account] | None:
    try:
        return {role: Account(**account) for role, account in json.loads(file.read_text()).items()}
    except FileNotFoundError:
        return None


def _keep(file: Path, accounts: Mapping[str, Account]) -> None:
    write_secret(file, json.dumps({role: account._asdict() for role, account in accounts.items()}, indent=2))
