"""Users and what they are, in the database. Whatever takes something away from somebody ends his sessions with it."""

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence

from cloud_api.people import totp
from cloud_api.people.models import GrantRow, InvitationRow, SessionRow, UserRow
from cloud_api.people.roles import Caller, Grant, Permission, Role, may_give
from cloud_api.people.sealed import PeopleKey
from device_registry import Conflict, NotFound, writing

GRANTS_MAX = 64
FIRST = Grant(Role.ADMINISTRATOR, "")


class NotYours(Exception):
    """The caller may not give or take this; the message says what."""


def key_of(name: str) -> str:
    """A name as it is compared."""
    return unicodedata.normalize("NFKC", name).casefold()


def digest_of(secret: str) -> str:
    """What is kept of a secret that has enough chance in it to need no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()


def plain(grants: Iterable[Grant]) -> list[list[str]]:
    """For a JSON column."""
    return [[grant.role.value, grant.community_id] for grant in grants]


def grants_from(column: Iterable[Sequence[str]]) -> tuple[Grant, ...]:
    """From a JSON column."""
    return tuple(Grant(Role(role), community_id) for role, community_id in column)


async def grants_of(user_ids: Sequence[str]) -> dict[str, tuple[Grant, ...]]:
    """User -> what he is."""
    found: dict[str, list[Grant]] = {user_id: [] for user_id in user_ids}
    for row in await GrantRow.filter(user_id__in=list(user_ids)).order_by("role", "community_id"):
        found[row.user_id].append(Grant(Role(row.role), row.community_id))
    return {user_id: tuple(grants) for user_id, grants in found.items()}


async def names_of(user_ids: Iterable[str]) -> dict[str, str]:
    """User -> what he is called; who is not there is left out."""
    rows = await UserRow.filter(id__in=list(set(user_ids))).values_list("id", "name")
    return {str(user_id): str(name) for user_id, name in rows}


async def user_named(name: str) -> UserRow | None:
    """Somebody by his name."""
    return await UserRow.get_or_none(key=key_of(name))


async def user(user_id: str, caller: Caller) -> UserRow:
    """One whom the caller may see: himself, and who is something where he looks after people. Raises NotFound."""
    row = await UserRow.get_or_none(id=user_id)
    if row is None or not (user_id == caller.user_id or await _is_seen(user_id, caller)):
        raise NotFound("user", user_id)
    return row


async def _is_seen(user_id: str, caller: Caller) -> bool:
    communities = caller.where(Permission.PEOPLE)
    if communities is None:
        return True
    return await GrantRow.filter(user_id=user_id, community_id__in=sorted(communities)).exists()


async def users(caller: Caller, after: str, limit: int) -> list[UserRow]:
    """A page of those whom the caller may see, in the order of their ids."""
    rows = UserRow.filter(id__gt=after)
    communities = caller.where(Permission.PEOPLE)
    if communities is not None:
        ids = await GrantRow.filter(community_id__in=sorted(communities)).distinct().values_list("user_id", flat=True)
        rows = rows.filter(id__in=list(ids))
    return await rows.order_by("id").limit(limit)


async def create_user(user_id: str, name: str, password_hash: str, grants: Iterable[Grant], now_ms: int) -> UserRow:
    """Somebody new. Call within a transaction. Raises Conflict when the name is taken."""
    if await UserRow.exists(key=key_of(name)):
        raise Conflict(f"the name {name!r} is taken")
    row = await UserRow.create(id=user_id, name=name, key=key_of(name), password_hash=password_hash, created_ms=now_ms)
    for grant in dict.fromkeys(grants):
        await GrantRow.create(user_id=user_id, role=grant.role.value, community_id=grant.community_id)
    return row


async def change_user(
    user_id: str, caller: Caller, grants: Sequence[Grant] | None, disabled: bool | None, now_ms: int
) -> UserRow:
    """What somebody is, and whether he may come in; None: as it is. His sessions end.

    Raises NotFound, NotYours when the caller may not give or take that, Conflict when no administrator would be left.
    """
    async with writing():
        row = await user(user_id, caller)
        before = (await grants_of([user_id]))[user_id]
        changed = set(before) if grants is None else set(before) ^ set(grants)
        check_may_give(caller, changed)
        if grants is not None:
            await GrantRow.filter(user_id=user_id).delete()
            for grant in dict.fromkeys(grants):
                await GrantRow.create(user_id=user_id, role=grant.role.value, community_id=grant.community_id)
        if disabled is not None:
            check_may_give(caller, before)
            row.disabled_ms = (row.disabled_ms or now_ms) if disabled else None
            await row.save(update_fields=["disabled_ms"])
        if not await _administrator_is_left():
            raise Conflict("nobody would be left who may administer everything")
        await SessionRow.filter(user_id=user_id).delete()
        if row.disabled_ms is not None:
            unused = InvitationRow.filter(issuer_id=user_id, used_ms__isnull=True, withdrawn_ms__isnull=True)
            await unused.update(withdrawn_ms=now_ms)
        return row


def check_may_give(caller: Caller, grants: Iterable[Grant]) -> None:
    """Raises NotYours for the first that the caller may neither give nor take."""
    for grant in sorted(grants):
        if not may_give(caller.grants, grant):
            place = grant.community_id or "all communities"
            raise NotYours(f"you may not make or unmake anybody {grant.role.value} of {place}")


async def _administrator_is_left() -> bool:
    ids = await GrantRow.filter(role=FIRST.role.value, community_id="").values_list("user_id", flat=True)
    return await UserRow.filter(id__in=list(ids), disabled_ms__isnull=True).exists()


async def set_password(user_id: str, password_hash: str, keep_session: str = "") -> None:
    """A new hash. All sessions end but the one with this digest."""
    async with writing():
        await UserRow.filter(id=user_id).update(password_hash=password_hash)
        await SessionRow.filter(user_id=user_id).exclude(digest=keep_session).delete()


async def seal_old_secrets(key: PeopleKey) -> None:
    """Until 0.1 secrets of authenticators stood in the database in clear, as 40 hexadecimal digits: sealed they are longer."""
    async with writing():
        for row in await UserRow.exclude(totp_secret=""):
            if len(row.totp_secret) == 2 * totp.SECRET_BYTES:
                row.totp_secret = key.sealed(bytes.fromhex(row.totp_secret), row.id)
                await row.save(update_fields=["totp_secret"])
