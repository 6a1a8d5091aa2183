"""Invitations: a one-time code with which somebody chooses a name and a password, and is what he was invited as."""

from collections.abc import Sequence
from enum import StrEnum

from cloud_api.people.accounts import FIRST, check_may_give, create_user, digest_of, grants_from, plain
from cloud_api.people.models import InvitationRow, UserRow
from cloud_api.people.roles import Caller, Grant, Permission
from contracts.claim_code import ClaimCodeInvalid, claim_code, claim_secret
from device_registry import EVERYWHERE, NotFound, writing

FIRST_ID = "invitation-first"
RECOVERY_HOLDS_MS = 3_600_000
FOR_EVER_MS = 4_102_444_800_000  # the year 2100: it ends with its first use


class InvitationState(StrEnum):
    """Where an invitation is."""

    OPEN = "open"
    USED = "used"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class InvitationRefused(Exception):
    """This code lets nobody in. The message does not say whether it ever did."""


def invitation_state(row: InvitationRow, now_ms: int) -> InvitationState:
    """A used one stays used, whatever came later."""
    if row.used_ms is not None:
        return InvitationState.USED
    if row.withdrawn_ms is not None:
        return InvitationState.WITHDRAWN
    return InvitationState.OPEN if now_ms < row.expires_ms else InvitationState.EXPIRED


async def invite(
    invitation_id: str, secret: bytes, caller: Caller, grants: Sequence[Grant], now_ms: int, expires_ms: int,
    meant_for: str = "",
) -> tuple[InvitationRow, str]:  # fmt: skip
    """A new invitation. meant_for: alias of an e-mail address, see ``InvitationRow``.

    Returns the row, and the code: only now. Raises NotYours when the caller may not give that.
    """
    check_may_give(caller, grants)
    row = await InvitationRow.create(
        id=invitation_id, digest=digest_of(secret.hex()), issuer_id=caller.user_id, grants=plain(grants),
        created_ms=now_ms, expires_ms=expires_ms, meant_for=meant_for,
    )  # fmt: skip
    return row, claim_code(secret)


async def open_for(alias: str, now_ms: int) -> InvitationRow | None:
    """The newest open invitation that is meant for this alias of an e-mail address."""
    rows = await InvitationRow.filter(meant_for=alias).order_by("-created_ms", "-id")
    return next((row for row in rows if invitation_state(row, now_ms) is InvitationState.OPEN), None)


async def accept(code: str, user_id: str, name: str, password_hash: str, now_ms: int) -> tuple[UserRow, InvitationRow]:
    """Use the code up and make the user: of many that race with one code one wins.

    Raises InvitationRefused, Conflict when the name is taken.
    """
    async with writing():
        row = await _open_one(code, now_ms)
        user = await create_user(user_id, name, password_hash, grants_from(row.grants), now_ms)
        row.used_ms, row.user_id = now_ms, user_id
        await row.save(update_fields=["used_ms", "user_id"])
        return user, row


async def check(code: str, now_ms: int) -> None:
    """Would it be accepted now? A password is only hashed for one that would. Raises InvitationRefused."""
    await _open_one(code, now_ms)


async def _open_one(code: str, now_ms: int) -> InvitationRow:
    try:
        digest = digest_of(claim_secret(code).hex())
    except ClaimCodeInvalid as error:
        raise InvitationRefused(str(error)) from error
    row = await InvitationRow.get_or_none(digest=digest)
    if row is None or invitation_state(row, now_ms) is not InvitationState.OPEN:
        raise InvitationRefused("this code invites nobody: it was used or taken back, has expired, or is mistyped")
    return row


async def invitations(caller: Caller, before: tuple[int, str] | None, limit: int) -> list[InvitationRow]:
    """The caller's own, newest first; those of all for whoever looks after people everywhere."""
    rows = InvitationRow.all() if _sees_all(caller) else InvitationRow.filter(issuer_id=caller.user_id)
    if before is not None:
        rows = rows.filter(created_ms__lte=before[0]).exclude(created_ms=before[0], id__gte=before[1])
    return await rows.order_by("-created_ms", "-id").limit(limit)


async def withdraw(invitation_id: str, caller: Caller, now_ms: int) -> InvitationRow:
    """Take it back; one that is used, withdrawn or expired stays as it is. Raises NotFound."""
    async with writing():
        row = await InvitationRow.get_or_none(id=invitation_id)
        if row is None or not (row.issuer_id == caller.user_id or _sees_all(caller)):
            raise NotFound("invitation", invitation_id)
        if invitation_state(row, now_ms) is InvitationState.OPEN:
            row.withdrawn_ms = now_ms
            await row.save(update_fields=["withdrawn_ms"])
        return row


def _sees_all(caller: Caller) -> bool:
    return caller.where(Permission.PEOPLE) is EVERYWHERE


async def first_code(secret: bytes, now_ms: int) -> str | None:
    """The code by which the first administrator comes in, made anew; once there is anybody "", or None while somebody is
    waited for who recovers this cloud."""
    async with writing():
        if await UserRow.exists():
            row = await InvitationRow.get_or_none(id=FIRST_ID)
            return None if row is not None and invitation_state(row, now_ms) is InvitationState.OPEN else ""
        return await _administrators(secret, now_ms, FOR_EVER_MS)


async def recovery_code(secret: bytes, now_ms: int) -> str:
    """A code by which an administrator of everything comes in, whoever else there is; an earlier one is worth nothing."""
    async with writing():
        return await _administrators(secret, now_ms, now_ms + RECOVERY_HOLDS_MS)


async def _administrators(secret: bytes, now_ms: int, expires_ms: int) -> str:
    await InvitationRow.filter(id=FIRST_ID).delete()
    await InvitationRow.create(
        id=FIRST_ID, digest=digest_of(secret.hex()), issuer_id="", grants=plain([FIRST]), created_ms=now_ms,
        expires_ms=expires_ms,
    )  # fmt: skip
    return claim_code(secret)
