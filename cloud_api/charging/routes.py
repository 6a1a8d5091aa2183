"""Routes of charging sessions and transactions."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query

import device_registry as registry
from cloud_api.audit.recording import reads_personal_data
from cloud_api.charging import transactions
from cloud_api.charging.models import TransactionRow
from cloud_api.charging.schema import (
    ChargingSession,
    ChargingSessions,
    ChargingTransaction,
    ChargingTransactionPage,
)
from cloud_api.charging.sessions import Said, sessions_of
from cloud_api.devices.readings import TIME_MS_MAX, Time, span
from cloud_api.pages import Cursor, Limit, cut, decode_cursor
from cloud_api.parts import PartsDep
from cloud_api.people.access import needs
from cloud_api.people.roles import Permission
from cloud_api.problems import Problem, responses
from cloud_api.telemetry import TelemetryStore, series_of
from contracts.vocabulary import DAY_MS, METRICS

router = APIRouter(tags=["charging"])

SPAN_MS_MAX = 31 * DAY_MS
LOOK_BACK_MS = 2 * DAY_MS
"""A session that began before the span, so long ago at most, is seen whole."""
SAMPLES_MAX = 200_000
GATEWAYS_MAX = 1_000
STATUS, REGISTER = METRICS["connector_status"], METRICS["energy_active_import_register"]


@router.get(
    "/devices/{device_id}/charging-sessions",
    summary="A pile's charging sessions",
    responses=responses("not_found", "range_invalid"),
    dependencies=[Depends(reads_personal_data)],
    openapi_extra=needs(Permission.CHARGING),
)
async def get_sessions(
    device_id: str,
    parts: PartsDep,
    start_ms: Time = None,
    end_ms: Time = None,
    newest: Annotated[int, Query(ge=1, le=1000, description="At most so many, the newest")] = 100,
) -> ChargingSessions:
    """Those that overlap `start_ms <= t < end_ms` (at most 31 days; the last day unless given), in order of time.

    Of a pile that says transactions these are they; of all others they are made anew from telemetry at each call, so what
    comes late is in it.
    """
    row = await registry.device(device_id)
    now_ms = parts.clock()
    asked = span(STATUS, start_ms, end_ms, None, None, now_ms)
    if asked.end_ms - asked.start_ms > SPAN_MS_MAX:
        raise Problem("range_invalid", "at most 31 days at once")
    sources = await registry.sources_of(row)
    if await transactions.has_transactions(sources):
        rows = await transactions.newest(None, sources, asked.start_ms, asked.end_ms, None, newest)
        names = await registry.token_names(one.gateway_id for one in rows)
        return ChargingSessions(items=[_session(row.id, one, _name(one, names)) for one in reversed(rows)])
    since_ms = max(0, asked.start_ms - LOOK_BACK_MS)
    statuses = await _said(parts.telemetry, sources, STATUS.name, since_ms, asked.end_ms)
    register = await _said(parts.telemetry, sources, REGISTER.name, since_ms, asked.end_ms)
    found = [
        session
        for session in sessions_of(statuses, register, min(now_ms, asked.end_ms))
        if session.end_ms is None or session.end_ms > asked.start_ms
    ]
    return ChargingSessions(
        items=[
            ChargingSession(
                device_id=row.id,
                begin_ms=session.begin_ms,
                end_ms=session.end_ms,
                energy_wh=session.energy_wh,
                charging_ms=session.charging_ms,
                register_resets=session.resets,
            )
            for session in found[-newest:]
        ]
    )


async def _said(
    store: TelemetryStore, sources: Sequence[registry.SourceSpan], metric: str, start_ms: int, end_ms: int
) -> list[Said]:
    points = await series_of(store, sources, metric, start_ms, end_ms, SAMPLES_MAX + 1)
    if len(points) > SAMPLES_MAX:
        raise Problem("range_invalid", f"more than {SAMPLES_MAX} samples of {metric}: ask for a shorter time")
    return [Said(point.t_ms, point.value) for point in points if isinstance(point.value, str | int | float)]


@router.get(
    "/charging-transactions",
    summary="Charging transactions",
    responses=responses("not_found", "range_invalid", "cursor_invalid"),
    dependencies=[Depends(reads_personal_data)],
    openapi_extra=needs(Permission.CHARGING),
)
async def list_transactions(
    cursor: Cursor = "",
    limit: Limit = 100,
    community: str = "",
    device: str = "",
    start_ms: Time = None,
    end_ms: Time = None,
) -> ChargingTransactionPage:
    """Those that overlap `start_ms <= t < end_ms` (all unless given), the newest begin first."""
    start, end = start_ms or 0, TIME_MS_MAX if end_ms is None else end_ms
    if start >= end:
        raise Problem("range_invalid", f"start_ms {start} must lie before end_ms {end}")
    seen, sources = await registry.visible_gateways(), None
    gateways = None if seen is None else sorted(seen)
    if community:
        await registry.community(community)
        gateways = [row.id for row in await registry.gateways("", GATEWAYS_MAX, community)]
    if device:
        row = await registry.device(device)
        sources = await registry.sources_of(row)
    place = decode_cursor(cursor, int, int)
    before = (int(place[0]), int(place[1])) if place else None
    found = await transactions.newest(gateways, sources, start, end, before, limit + 1)
    page, following = cut(found, limit, lambda one: (one.started_ms, one.id))
    begins = [(one.gateway_id, one.external_id, one.started_ms) for one in page]
    ids = await registry.devices_at(begins)
    names = await registry.token_names(one.gateway_id for one in page)
    items = [
        transaction_in_json(one, ids.get(begin), _name(one, names)) for one, begin in zip(page, begins, strict=True)
    ]
    return ChargingTransactionPage(items=items, next_cursor=following)


def _name(row: TransactionRow, names: Mapping[tuple[str, str], str]) -> str:
    """What people call the token: its alias where the name was erased, or the gateway's own word where there is none."""
    return names.get((row.gateway_id, row.token), row.token)


def transaction_in_json(row: TransactionRow, device_id: str | None, name: str) -> ChargingTransaction:
    """A transaction in JSON. name: of its token."""
    return ChargingTransaction(
        transaction=row.transaction,
        gateway_id=row.gateway_id,
        device_id=device_id,
        external_id=row.external_id,
        charge_point=row.charge_point,
        token=name,
        begin_ms=row.started_ms,
        end_ms=row.ended_ms or None,
        meter_start_wh=row.meter_start_wh,
        meter_wh=row.meter_wh,
        energy_wh=row.energy_wh,
        reason=row.reason,
        offline=row.offline,
        time_unsure=row.time_unsure,
    )


def _session(device_id: str, row: TransactionRow, name: str) -> ChargingSession:
    return ChargingSession(
        device_id=device_id,
        source="transaction",
        begin_ms=row.started_ms,
        end_ms=row.ended_ms or None,
        energy_wh=row.energy_wh,
        transaction=row.transaction,
        token=name,
        reason=row.reason,
    )
