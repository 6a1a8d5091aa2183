"""Coming in: limits first, then the password, then the authenticator's code; and who it is that comes back with a secret."""

import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from prometheus_client import Counter

from cloud_api.people.accounts import grants_from, grants_of, key_of, user_named
from cloud_api.people.limits import SignInLimits
from cloud_api.people.models import UserRow
from cloud_api.people.passwords import Passwords
from cloud_api.people.roles import Caller, Grant, acts, covers
from cloud_api.people.sessions import find_session
from cloud_api.people.tokens import PREFIX, find_token
from cloud_api.people.totp import accepted_step

log = logging.getLogger(__name__)

Refusal = Literal["sign_in_refused", "code_needed", "too_many_attempts"]


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


@dataclass(frozen=True, slots=True)
class Door:
    """What coming in needs.

    require_totp  who may change anything has to have an authenticator; until then he may only set one up
    first_code    the file with the first administrator's code
    """

    passwords: Passwords = field(default_factory=Passwords)
    limits: SignInLimits = field(default_factory=SignInLimits)
    require_totp: bool = False
    first_code: Path | None = None
    refused: Counter = field(
        default_factory=lambda: Counter(
            "linli_sign_ins_refused", "Sign-ins refused, by reason", ["reason"], registry=None
        )
    )

    async def come_in(self, name: str, password: str, code: str, address: str, now_ms: int) -> UserRow:
        """Who it is. Raises SignInRefused, Busy.

        What was wrong is not said, and takes the same time: whether there is such a user is nobody's business.
        """
        key = key_of(name)
        if wait_ms := self.limits.begin(key, address, now_ms):
            raise self._refusal("too_many_attempts", address, wait_ms)
        row = await user_named(name)
        there = row if row is not None and row.disabled_ms is None else None
        if not await self.passwords.verify(there.password_hash if there else None, password) or there is None:
            raise self._refusal("sign_in_refused", address)
        if there.totp_on:
            if not code:
                raise self._refusal("code_needed", address)
            if not await use_code(there, code, now_ms):
                raise self._refusal("sign_in_refused", address)
        self.limits.succeeded(key, address)
        if self.passwords.is_outdated(there.password_hash):
            fresh = await self.passwords.hashed(password)
            await UserRow.filter(id=there.id, password_hash=there.password_hash).update(password_hash=fresh)
        log.info("signed in", extra={"user": there.id, "address": address})
        return there

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
        """One is required of him, and he has none."""
        return self.require_totp and not row.totp_on and acts((await grants_of([row.id]))[row.id])

    async def _machine(self, secret: str, now_ms: int) -> Caller | None:
        token = await find_token(secret, now_ms) if secret.startswith(PREFIX) else None
        row = await UserRow.get_or_none(id=token.user_id, disabled_ms__isnull=True) if token else None
        if token is None or row is None:
            return None
        has = (await grants_of([row.id]))[row.id]
        grants = tuple(grant for grant in grants_from(token.grants) if covers(has, grant))
        return Caller(row.id, f"{row.name}/{token.name}", grants, token.id, machine=True)

    def _refusal(self, reason: Refusal, address: str, wait_ms: int = 0) -> SignInRefused:
        self.refused.labels(reason).inc()
        log.warning("security: sign-in refused", extra={"reason": reason, "address": address})
        return SignInRefused(reason, wait_ms)


async def use_code(row: UserRow, code: str, now_ms: int) -> bool:
    """Take an authenticator's code: each once, also when two come at the same time."""
    step = accepted_step(bytes.fromhex(row.totp_secret), code, now_ms, row.totp_step)
    if step is None:
        return False
    return bool(await UserRow.filter(id=row.id, totp_step__lt=step).update(totp_step=step))


def keep_first_code(file: Path, code: str) -> None:
    """In a file that only its owner can read; without a code there is none. Raises OSError."""
    if not code:
        file.unlink(missing_ok=True)
        return
    fresh = file.with_name(f"{file.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
        opened.write(code + "\n")
    fresh.replace(file)
    log.warning("nobody can sign in yet: the first administrator's code is in a file", extra={"file": str(file)})
