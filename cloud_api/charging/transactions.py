"""Charging transactions as gateways said them: of one transaction the record with the highest ``seq`` counts."""

import math
from collections.abc import Sequence

from tortoise.expressions import Q

from cloud_api.charging.models import TransactionRow
from contracts.messages import ChargingTransaction
from device_registry import SourceSpan, writing

TIME_MS_MAX = 4_102_444_800_000  # the year 2100
WH_MAX = 1e12


def transaction_fault(said: ChargingTransaction) -> str:
    """Why this record can't be kept: "" when it can, else a snake_case word. Gateways are not trusted."""
    if not 0 < len(said.transaction) <= 64 or not 0 <= said.seq < 2**63:
        return "transaction_invalid"
    if not 0 < len(said.device) <= 128 or len(said.charge_point) > 64 or len(said.token) > 200:
        return "device_id_invalid"
    if not all(0 <= time_ms <= TIME_MS_MAX for time_ms in (said.started_ms, said.ended_ms, said.at_ms)):
        return "time_invalid"
    numbers = (said.meter_start_wh, said.meter_wh, said.energy_wh)
    return "" if all(math.isfinite(wh) and 0 <= wh <= WH_MAX for wh in numbers) else "energy_invalid"


async def transaction_said(gateway_id: str, said: ChargingTransaction) -> None:
    """Keep it, unless a later word is there already. Idempotent, in any order. said: has no ``transaction_fault``."""
    async with writing():
        row = await TransactionRow.get_or_none(gateway_id=gateway_id, transaction=said.transaction)
        if row is not None and row.seq >= said.seq:
            return
        row = row or TransactionRow(gateway_id=gateway_id, transaction=said.transaction)
        row.seq = said.seq
        row.external_id, row.charge_point, row.token = said.device, said.charge_point, said.token
        row.started_ms, row.ended_ms, row.reason = said.started_ms, said.ended_ms, said.reason[:100]
        row.meter_start_wh, row.meter_wh, row.energy_wh = said.meter_start_wh, said.meter_wh, said.energy_wh
        row.offline, row.time_unsure, row.said_ms = said.offline, said.time_unsure, said.at_ms
        await row.save()


async def newest(
    gateway_ids: Sequence[str] | None,
    sources: Sequence[SourceSpan] | None,
    start_ms: int,
    end_ms: int,
    before: tuple[int, int] | None,
    limit: int,
    token: str | None = None,
) -> list[TransactionRow]:
    """Those that overlap ``start_ms <= t < end_ms``, newest begin first.

    gateway_ids  of these alone; None: of all
    sources      of the connector that had these sources alone: a transaction belongs to where it began
    before       begin and id of the last one of the page before
    token        of this alias alone
    """
    rows = TransactionRow.filter(Q(ended_ms=0) | Q(ended_ms__gte=start_ms), started_ms__lt=end_ms)
    if gateway_ids is not None:
        rows = rows.filter(gateway_id__in=list(gateway_ids))
    if sources is not None:
        rows = rows.filter(_began_at(sources))
    if token is not None:
        rows = rows.filter(token=token)
    if before is not None:
        rows = rows.filter(Q(started_ms__lt=before[0]) | Q(started_ms=before[0], id__lt=before[1]))
    return await rows.order_by("-started_ms", "-id").limit(limit)


async def has_transactions(sources: Sequence[SourceSpan]) -> bool:
    """Whether the connector with these sources has ever said a transaction: then its sessions are those."""
    return await TransactionRow.filter(_began_at(sources)).exists()


def _began_at(sources: Sequence[SourceSpan]) -> Q:
    spans = [
        Q(
            gateway_id=span.gateway_id,
            external_id=span.external_id,
            started_ms__gte=span.from_ms,
            started_ms__lt=span.to_ms,
        )
        for span in sources
    ]
    return Q(*spans, join_type="OR")


async def count_of(gateway_id: str, token: str) -> int:
    """How many transactions this alias has at a gateway."""
    return await TransactionRow.filter(gateway_id=gateway_id, token=token).count()
