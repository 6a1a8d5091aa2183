"""Uses of claims that were refused: kept for people to see, the newest of them."""

import secrets

from cloud_api.identity.models import RefusalRow
from device_registry import visible_gateways

KEPT_MAX = 10_000


async def note_refusal(reason: str, claim_id: str, gateway_id: str, address: str, now_ms: int) -> None:
    """Keep one. Call within a transaction."""
    await RefusalRow.create(
        id=f"refusal-{secrets.token_hex(8)}",
        at_ms=now_ms,
        reason=reason,
        claim_id=claim_id,
        gateway_id=gateway_id,
        address=address[:64],
    )
    if await RefusalRow.all().count() > KEPT_MAX:
        oldest = await RefusalRow.all().order_by("at_ms", "id").limit(KEPT_MAX // 10).values_list("id", flat=True)
        await RefusalRow.filter(id__in=list(oldest)).delete()


async def newest_refusals(before: tuple[int, str] | None, limit: int) -> list[RefusalRow]:
    """Refused uses, newest first; of the gateways that are seen here."""
    rows = RefusalRow.all()
    if (seen := await visible_gateways()) is not None:
        rows = rows.filter(gateway_id__in=sorted(seen))
    if before is not None:
        rows = rows.filter(at_ms__lte=before[0]).exclude(at_ms=before[0], id__gte=before[1])
    return await rows.order_by("-at_ms", "-id").limit(limit)
