"""Sessions of browsers: an opaque secret in a cookie, everything else here."""

from cloud_api.people.accounts import digest_of
from cloud_api.people.models import SessionRow
from device_registry import writing

IDLE_MS = 30 * 60_000
ABSOLUTE_MS = 12 * 3_600_000
FRESH_MS = 10 * 60_000
"""For so long it is believed that whoever has signed in sits there himself."""
SEEN_EVERY_MS = 60_000
"""A session's last use is noted at most so often."""
SESSIONS_MAX = 20
"""Of one user; a further one ends the oldest."""


def has_ended(begun_ms: int, seen_ms: int, now_ms: int) -> bool:
    """Nothing was asked for too long, or it has simply lasted long enough."""
    return now_ms >= min(begun_ms + ABSOLUTE_MS, seen_ms + IDLE_MS)


async def begin_session(user_id: str, secret: str, now_ms: int, instead_of: str = "") -> SessionRow:
    """A new session; the one that the browser had before, ``instead_of``, ends: whoever planted that one has nothing."""
    async with writing():
        if instead_of:
            await SessionRow.filter(digest=digest_of(instead_of)).delete()
        await SessionRow.filter(begun_ms__lte=now_ms - ABSOLUTE_MS).delete()
        await SessionRow.filter(seen_ms__lte=now_ms - IDLE_MS).delete()
        kept = SessionRow.filter(user_id=user_id).order_by("-begun_ms").offset(SESSIONS_MAX - 1).limit(SESSIONS_MAX)
        old = await kept.values_list("digest", flat=True)
        if old:
            await SessionRow.filter(digest__in=list(old)).delete()
        return await SessionRow.create(digest=digest_of(secret), user_id=user_id, begun_ms=now_ms, seen_ms=now_ms)


async def find_session(secret: str, now_ms: int, uses: bool) -> SessionRow | None:
    """The session of this secret, if it has not ended. uses: the browser asks for something, so it is not idle."""
    row = await SessionRow.get_or_none(digest=digest_of(secret))
    if row is None or has_ended(row.begun_ms, row.seen_ms, now_ms):
        return None
    if uses and now_ms - row.seen_ms >= SEEN_EVERY_MS:
        await SessionRow.filter(digest=row.digest).update(seen_ms=now_ms)
        row.seen_ms = now_ms
    return row


async def is_fresh(digest: str, now_ms: int) -> bool:
    """It has just begun."""
    return await SessionRow.exists(digest=digest, begun_ms__gt=now_ms - FRESH_MS)


async def end_session(digest: str) -> None:
    """One that has ended already changes nothing."""
    await SessionRow.filter(digest=digest).delete()


async def sessions_of(user_id: str, now_ms: int) -> list[SessionRow]:
    """Those that have not ended, newest first."""
    rows = await SessionRow.filter(user_id=user_id).order_by("-begun_ms", "digest")
    return [row for row in rows if not has_ended(row.begun_ms, row.seen_ms, now_ms)]
