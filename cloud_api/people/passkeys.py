"""Passkeys in the database: whose they are, and that none is used by a copy of it."""

from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cloud_api.people.models import PasskeyRow
from cloud_api.people.webauthn import (
    NewPasskey,
    PasskeyCloned,
    PasskeyRefused,
    Site,
    State,
    check_shown,
    credential_id_of,
)
from device_registry import Conflict, NotFound, writing

PASSKEYS_MAX = 20
"""Of one user."""


class Shown(NamedTuple):
    """A browser's answer to a challenge of ours. state: of that challenge."""

    site: Site
    state: State
    credential: Mapping[str, Any]


async def passkeys(user_id: str) -> list[PasskeyRow]:
    """The user's, oldest first."""
    return await PasskeyRow.filter(user_id=user_id).order_by("created_ms", "id")


async def passkey_counts(user_ids: Sequence[str]) -> Counter[str]:
    """User -> how many he has."""
    ids = await PasskeyRow.filter(user_id__in=list(user_ids)).values_list("user_id", flat=True)
    return Counter(map(str, ids))


async def known_credentials(user_id: str, site: Site) -> list[bytes]:
    """Ids of the credentials that the user has for this site."""
    rows = await PasskeyRow.filter(user_id=user_id, rp_id=site.rp_id)
    return [_credential(row) for row in rows]


async def keep_passkey(
    passkey_id: str, user_id: str, name: str, site: Site, new: NewPasskey, now_ms: int
) -> PasskeyRow:
    """Raises Conflict when the user has too many, or somebody has this one."""
    async with writing():
        if await PasskeyRow.filter(user_id=user_id).count() >= PASSKEYS_MAX:
            raise Conflict(f"you have {PASSKEYS_MAX} passkeys; remove one first")
        credential_id = _text(new.credential_id)
        if await PasskeyRow.exists(credential_id=credential_id):
            raise Conflict("this passkey is there already")
        return await PasskeyRow.create(
            id=passkey_id, credential_id=credential_id, user_id=user_id, name=name, key=b64encode(new.key).decode(),
            rp_id=site.rp_id, sign_count=new.sign_count, backed_up=new.backed_up, created_ms=now_ms,
        )  # fmt: skip


async def own_passkey(passkey_id: str, user_id: str) -> PasskeyRow:
    """One of the user's. Raises NotFound."""
    row = await PasskeyRow.get_or_none(id=passkey_id, user_id=user_id)
    if row is None:
        raise NotFound("passkey", passkey_id)
    return row


async def rename_passkey(passkey_id: str, user_id: str, name: str) -> PasskeyRow:
    """Raises NotFound."""
    row = await own_passkey(passkey_id, user_id)
    row.name = name
    await row.save(update_fields=["name"])
    return row


async def remove_passkey(passkey_id: str, user_id: str) -> None:
    """Raises NotFound."""
    if not await PasskeyRow.filter(id=passkey_id, user_id=user_id).delete():
        raise NotFound("passkey", passkey_id)


async def use_passkey(shown: Shown, now_ms: int) -> str:
    """Whose it is. Raises PasskeyRefused, PasskeyCloned."""
    row = await PasskeyRow.get_or_none(credential_id=_text(credential_id_of(shown.credential)))
    if row is None:
        raise PasskeyRefused("nobody has this passkey")
    before = row.sign_count
    after = check_shown(shown.site, shown.state, b64decode(row.key), before, row.user_id, shown.credential)
    used = await PasskeyRow.filter(id=row.id, sign_count=before).update(sign_count=after, used_ms=now_ms)
    if not used:
        raise PasskeyCloned("it was used elsewhere in the same moment")
    return row.user_id


def _credential(row: PasskeyRow) -> bytes:
    return urlsafe_b64decode(row.credential_id + "=" * (-len(row.credential_id) % 4))


def _text(credential_id: bytes) -> str:
    return urlsafe_b64encode(credential_id).decode().rstrip("=")
