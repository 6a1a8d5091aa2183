"""Who somebody of a provider's is here: whoever has connected that identity, or whom an invitation is meant for.

By the subject alone once it is known: an e-mail address can pass to somebody else.
"""

import re
import secrets

from cloud_api.people.accounts import create_user, grants_from, key_of
from cloud_api.people.invitations import open_for
from cloud_api.people.models import IdentityRow, UserRow
from cloud_api.people.oidc import Identity
from cloud_api.people.sealed import PeopleKey
from device_registry import Conflict, writing

_NOT_OF_A_NAME = re.compile(r"[^\w.+-]+")


class NotInvited(Exception):
    """Nobody here is this identity's, and no invitation is meant for it."""


async def user_of(identity: Identity, key: PeopleKey, user_id: str, now_ms: int) -> UserRow:
    """Who it is; whom an open invitation is meant for comes in by it, as ``user_id``. Raises NotInvited."""
    async with writing():
        row = await IdentityRow.get_or_none(issuer=identity.issuer, subject=identity.subject)
        if row is not None:
            user = await UserRow.get_or_none(id=row.user_id, disabled_ms__isnull=True)
            if user is None:
                raise NotInvited("the user is disabled")
            return user
        invitation = await open_for(key.alias(identity.email), now_ms) if identity.email else None
        if invitation is None:
            raise NotInvited("no invitation is meant for this address, or it is not verified")
        name = await _free_name(identity.email.partition("@")[0])
        user = await create_user(user_id, name, "", grants_from(invitation.grants), now_ms)
        invitation.used_ms, invitation.user_id = now_ms, user.id
        await invitation.save(update_fields=["used_ms", "user_id"])
        await IdentityRow.create(issuer=identity.issuer, subject=identity.subject, user_id=user.id, created_ms=now_ms)
        return user


async def connect(identity: Identity, user_id: str, now_ms: int) -> None:
    """From now on this identity is the user's; one that he had at this provider is no more. Raises Conflict."""
    async with writing():
        row = await IdentityRow.get_or_none(issuer=identity.issuer, subject=identity.subject)
        if row is not None and row.user_id != user_id:
            raise Conflict("somebody else has connected this identity")
        await IdentityRow.filter(issuer=identity.issuer, user_id=user_id).delete()
        await IdentityRow.create(issuer=identity.issuer, subject=identity.subject, user_id=user_id, created_ms=now_ms)


async def is_connected(user_id: str) -> bool:
    """The user has an identity at a provider."""
    return await IdentityRow.exists(user_id=user_id)


async def disconnect(user: UserRow) -> None:
    """Raises Conflict when he could not come in any more."""
    if not user.password_hash:
        raise Conflict("there is no password to sign in with instead")
    await IdentityRow.filter(user_id=user.id).delete()


async def _free_name(wanted: str) -> str:
    name = _NOT_OF_A_NAME.sub("", wanted)[:50] or "guest"
    if not await UserRow.exists(key=key_of(name)):
        return name
    return f"{name}.{secrets.token_hex(4)}"
