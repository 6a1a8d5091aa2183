"""Coming in: limits first, then the password, then the second factor; or a passkey, which is both. And who it is that comes
back with a secret."""

import asyncio
import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from prometheus_client import Counter

from cloud_api.people.accounts import digest_of, grants_from, grants_of, key_of, user_named
from cloud_api.people.challenges import Challenges
from cloud_api.people.lanes import REFUSED_S, Lanes
from cloud_api.people.limits import SignInLimits
from cloud_api.people.models import PasskeyRow, UserRow
from cloud_api.people.oidc import Begun, Provider
from cloud_api.people.passkeys import Shown, use_passkey
from cloud_api.people.passwords import Passwords
from cloud_api.people.roles import Caller, Grant, acts, covers
from cloud_api.people.sealed import PeopleKey, SealBroken
from cloud_api.people.sessions import find_session
from cloud_api.people.tokens import PREFIX, find_token
from cloud_api.people.totp import accepted_step
from cloud_api.people.webauthn import PasskeyCloned, PasskeyRefused, Site, State

log = logging.getLogger(__name__)

FIRST_CODE = "first-administrator.code"
"""In the data folder, until the first administrator has come in."""

Refusal = Literal["sign_in_refused", "code_needed", "passkey_needed", "too_many_attempts"]


class SignInRefused(Exception):
    """Nobody came in. reason: a stable word; wait_ms: before it may be tried again."""

    def __init__(self, reason: Refusal, wait_ms: int = 0) -> None:
        super().__init__(reason)
        self.reason: Refusal = reason
        self.wait_ms = wait_ms


class Secret(NamedTuple):
    """What a request carries to say who asks."""

    kind: Literal["session", "token"]
    text: str


class Factors(NamedTuple):
    """What somebody shows besides his password.

    code            of the authenticator, "" for none
    passkey         a browser's answer with what it was asked; None: it was asked nothing, or it has none
    shows_passkey   it has answered
    """

    code: str = ""
    passkey: Shown | None = None
    shows_passkey: bool = False


@dataclass(frozen=True, slots=True)
class Door:
    """What coming in needs.

    key           opens the secrets of authenticators
    challenges    that wait for the answer of a browser's passkey
    provider      of identities, and what it is called; None: people sign in here alone
    at_provider   who has been sent there and waited for; or, by a user's id, who has come back and lacks a second factor
    require_totp  who may change anything has to have an authenticator; until then he may only set one up
    first_code    the file with the first administrator's code
    """

    key: PeopleKey
    passwords: Passwords = field(default_factory=Passwords)
    challenges: Challenges[tuple[Site, State]] = field(default_factory=Challenges)
    provider: Provider | None = None
    provider_name: str = ""
    at_provider: Challenges[Begun | str] = field(default_factory=Challenges)
    limits: SignInLimits = field(default_factory=SignInLimits)
    lanes: Lanes = field(default_factory=Lanes)
    require_totp: bool = False
    first_code: Path | None = None
    refused: Counter = field(
        default_factory=lambda: Counter(
            "linli_sign_ins_refused", "Sign-ins refused, by reason", ["reason"], registry=None
        )
    )

    async def come_in(self, name: str, password: str, factors: Factors, address: str, now_ms: int) -> UserRow:
        """Who it is. Raises SignInRefused, Busy.

        What was wrong is not said, and takes the same time: whether there is such a user is nobody's business.
        """
        async with self.lanes.turn(address):
            key = key_of(name)
            if wait_ms := self.limits.begin(key, address, now_ms):
                await asyncio.sleep(REFUSED_S)
                raise self._refusal("too_many_attempts", address, wait_ms)
            return await self._come_in(name, password, factors, address, now_ms)

    async def _come_in(self, name: str, password: str, factors: Factors, address: str, now_ms: int) -> UserRow:
        key = key_of(name)
        row = await user_named(name)
        there = row if row is not None and row.disabled_ms is None else None
        if not await self.passwords.verify(there.password_hash if there else None, password) or there is None:
            raise self._refusal("sign_in_refused", address)
        await self.check_second(there, factors, address, now_ms)
        self.limits.succeeded(key, address)
        if self.passwords.is_outdated(there.password_hash):
            fresh = await self.passwords.hashed(password)
            await UserRow.filter(id=there.id, password_hash=there.password_hash).update(password_hash=fresh)
        log.info("signed in", extra={"user": there.id, "address": address})
        return there

    async def check_second(self, row: UserRow, factors: Factors, address: str, now_ms: int) -> None:
        """Who has a second factor has shown one. Raises SignInRefused."""
        if factors.shows_passkey:
            if await self._owner_of(factors.passkey, address, now_ms) != row.id:
                raise self._refusal("sign_in_refused", address)
        elif row.totp_on:
            if not factors.code:
                raise self._refusal("code_needed", address)
            if not await self.use_code(row, factors.code, now_ms):
                raise self._refusal("sign_in_refused", address)
        elif await PasskeyRow.exists(user_id=row.id):
            raise self._refusal("passkey_needed", address)

    async def come_in_by_passkey(self, shown: Shown | None, address: str, now_ms: int) -> UserRow:
        """Who it is: a passkey is something one has, and asks for something one is or knows. Raises SignInRefused."""
        tried = f"a passkey: {digest_of(str(shown.credential.get('id')))}" if shown else "no passkey"  # no user's name
        if wait_ms := self.limits.begin(tried, address, now_ms):
            raise self._refusal("too_many_attempts", address, wait_ms)
        user_id = await self._owner_of(shown, address, now_ms)
        row = await UserRow.get_or_none(id=user_id, disabled_ms__isnull=True)
        if row is None:
            raise self._refusal("sign_in_refused", address)
        self.limits.succeeded(tried, address)
        log.info("signed in", extra={"user": row.id, "address": address, "by": "passkey"})
        return row

    async def _owner_of(self, shown: Shown | None, address: str, now_ms: int) -> str:
        try:
            if shown is None:
                raise PasskeyRefused("nothing was asked, or not of this browser, or it was answered, or too long ago")
            return await use_passkey(shown, now_ms)
        except PasskeyCloned as error:
            log.error("security: a passkey may have been copied", extra={"address": address, "error": str(error)})
            raise self._refusal("sign_in_refused", address) from error
        except PasskeyRefused as error:
            log.warning("security: a passkey was refused", extra={"address": address, "error": str(error)[:200]})
            raise self._refusal("sign_in_refused", address) from error

    async def who(self, secret: Secret, now_ms: int, uses: bool = True) -> Caller | None:
        """Who carries this secret; None: nobody who may come in. uses: it keeps a session from being idle."""
        if secret.kind == "token":
            return await self._machine(secret.text, now_ms)
        session = await find_session(secret.text, now_ms, uses)
        row = await UserRow.get_or_none(id=session.user_id, disabled_ms__isnull=True) if session else None
        if session is None or row is None:
            return None
        return Caller(row.id, row.name, await self.grants_now(row), session.digest)

    async def grants_now(self, row: UserRow) -> tuple[Grant, ...]:
        """What somebody is now: nothing while he still has to set up an authenticator."""
        return () if await self.lacks_authenticator(row) else (await grants_of([row.id]))[row.id]

    async def lacks_authenticator(self, row: UserRow) -> bool:
        """A second factor is required of him, and he has none."""
        if not self.require_totp or row.totp_on or not acts((await grants_of([row.id]))[row.id]):
            return False
        return not await PasskeyRow.exists(user_id=row.id)

    async def _machine(self, secret: str, now_ms: int) -> Caller | None:
        token = await find_token(secret, now_ms) if secret.startswith(PREFIX) else None
        row = await UserRow.get_or_none(id=token.user_id, disabled_ms__isnull=True) if token else None
        if token is None or row is None:
            return None
        has = (await grants_of([row.id]))[row.id]
        grants = tuple(grant for grant in grants_from(token.grants) if covers(has, grant))
        return Caller(row.id, f"{row.name}/{token.name}", grants, token.id, machine=True)

    async def use_code(self, row: UserRow, code: str, now_ms: int) -> bool:
        """Take an authenticator's code: each once, also when two come at the same time."""
        try:
            secret = self.key.opened(row.totp_secret, row.id)
        except SealBroken as error:
            log.error("the secret of an authenticator can't be read", extra={"user": row.id, "error": str(error)})
            return False
        step = accepted_step(secret, code, now_ms, row.totp_step)
        if step is None:
            return False
        return bool(await UserRow.filter(id=row.id, totp_step__lt=step).update(totp_step=step))

    def _refusal(self, reason: Refusal, address: str, wait_ms: int = 0) -> SignInRefused:
        self.refused.labels(reason).inc()
        log.warning("security: sign-in refused", extra={"reason": reason, "address": address})
        return SignInRefused(reason, wait_ms)


def keep_first_code(file: Path, code: str) -> None:
    """In a file that only its owner can read; without a code there is none. Raises OSError."""
    if not code:
        file.unlink(missing_ok=True)
        return
    fresh = file.with_name(f"{file.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
        opened.write(code + "\n")
    fresh.replace(file)
    log.warning("an administrator is waited for: his code is in a file", extra={"file": str(file)})
