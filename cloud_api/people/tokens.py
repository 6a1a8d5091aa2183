"""Tokens of machines: each speaks for the person who made it, with at most what that person still is."""

from collections.abc import Sequence

from cloud_api.people.accounts import NotYours, digest_of, plain
from cloud_api.people.models import TokenRow
from cloud_api.people.roles import Caller, Grant, Permission, covers
from device_registry import EVERYWHERE, Conflict, NotFound, writing

PREFIX = "linli_"
"""So that people, and scanners for lost secrets, know one when they see it."""
TOKENS_MAX = 50
"""That are good at once, of one user."""


async def create_token(
    token_id: str, secret: str, name: str, caller: Caller, grants: Sequence[Grant], now_ms: int, expires_ms: int
) -> TokenRow:
    """A new one. Raises NotYours when it would be good for more than the caller is, Conflict when he has too many."""
    for grant in grants:
        if not covers(caller.grants, grant):
            raise NotYours(
                f"a token can't be {grant.role.value} of {grant.community_id or 'all communities'}: you are not"
            )
    async with writing():
        if await _good(caller.user_id, now_ms) >= TOKENS_MAX:
            raise Conflict(f"you have {TOKENS_MAX} tokens; revoke one first")
        return await TokenRow.create(
            id=token_id, digest=digest_of(secret), name=name, user_id=caller.user_id, grants=plain(grants),
            created_ms=now_ms, expires_ms=expires_ms,
        )  # fmt: skip


async def _good(user_id: str, now_ms: int) -> int:
    return await TokenRow.filter(user_id=user_id, revoked_ms__isnull=True, expires_ms__gt=now_ms).count()


async def find_token(secret: str, now_ms: int) -> TokenRow | None:
    """The token of this secret, if it is good."""
    row = await TokenRow.get_or_none(digest=digest_of(secret))
    return row if row is not None and row.revoked_ms is None and now_ms < row.expires_ms else None


async def tokens(caller: Caller, before: tuple[int, str] | None, limit: int) -> list[TokenRow]:
    """The caller's own, newest first; those of all for whoever administers everything."""
    rows = TokenRow.all() if _sees_all(caller) else TokenRow.filter(user_id=caller.user_id)
    if before is not None:
        rows = rows.filter(created_ms__lte=before[0]).exclude(created_ms=before[0], id__gte=before[1])
    return await rows.order_by("-created_ms", "-id").limit(limit)


async def revoke_token(token_id: str, caller: Caller, now_ms: int) -> TokenRow:
    """It is good for nothing from now on. May be repeated. Raises NotFound."""
    async with writing():
        row = await TokenRow.get_or_none(id=token_id)
        if row is None or not (row.user_id == caller.user_id or _sees_all(caller)):
            raise NotFound("token", token_id)
        if row.revoked_ms is None:
            row.revoked_ms = now_ms
            await row.save(update_fields=["revoked_ms"])
        return row


def _sees_all(caller: Caller) -> bool:
    return caller.where(Permission.COMMUNITIES) is EVERYWHERE
