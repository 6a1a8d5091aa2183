"""The route of charging sessions."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

import device_registry as registry
from cloud_api.charging.sessions import Said, sessions_of
from cloud_api.devices.readings import Time, span
from cloud_api.parts import PartsDep
from cloud_api.problems import Problem, responses
from cloud_api.telemetry import Source, TelemetryStore
from contracts.vocabulary import DAY_MS, METRICS

router = APIRouter(tags=["charging"])

SPAN_MS_MAX = 31 * DAY_MS
LOOK_BACK_MS = 2 * DAY_MS
"""A session that began before the span, so long ago at most, is seen whole."""
SAMPLES_MAX = 200_000
STATUS, REGISTER = METRICS["connector_status"], METRICS["energy_active_import_register"]


class ChargingSession(BaseModel):
    """From a car's coming to its going.

    `end_ms` is null while it lasts. `energy_wh` is by the register's differences, null without two values; where
    `register_resets` is not 0 it is the least that was charged.
    """

    device_id: str = Field(examples=["dev-z72blpgg5flow7sn"])
    begin_ms: int = Field(examples=[1_790_000_000_000])
    end_ms: int | None = Field(examples=[1_790_014_400_000])
    energy_wh: float | None = Field(examples=[18_240.0])
    charging_ms: int = Field(examples=[9_000_000])
    register_resets: int = Field(examples=[0])


class ChargingSessions(BaseModel):
    """A pile's sessions."""

    items: list[ChargingSession]


@router.get(
    "/devices/{device_id}/charging-sessions",
    summary="A pile's charging sessions",
    responses=responses("not_found", "range_invalid"),
)
async def get_sessions(
    device_id: str,
    parts: PartsDep,
    start_ms: Time = None,
    end_ms: Time = None,
    newest: Annotated[int, Query(ge=1, le=1000, description="At most so many, the newest")] = 100,
) -> ChargingSessions:
    """Those that overlap `start_ms <= t < end_ms` (at most 31 days; the last day unless given), in order of time.

    Made anew from telemetry at each call, so what comes late is in it.
    """
    row = await registry.device(device_id)
    now_ms = parts.clock()
    asked = span(STATUS, start_ms, end_ms, None, None, now_ms)
    if asked.end_ms - asked.start_ms > SPAN_MS_MAX:
        raise Problem("range_invalid", "at most 31 days at once")
    source = (row.gateway_id, row.external_id)
    since_ms = max(0, asked.start_ms - LOOK_BACK_MS)
    statuses = await _said(parts.telemetry, source, STATUS.name, since_ms, asked.end_ms)
    register = await _said(parts.telemetry, source, REGISTER.name, since_ms, asked.end_ms)
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


async def _said(store: TelemetryStore, source: Source, metric: str, start_ms: int, end_ms: int) -> list[Said]:
    points = await store.series(source, metric, start_ms, end_ms, SAMPLES_MAX + 1)
    if len(points) > SAMPLES_MAX:
        raise Problem("range_invalid", f"more than {SAMPLES_MAX} samples of {metric}: ask for a shorter time")
    return [Said(point.t_ms, point.value) for point in points if isinstance(point.value, str | int | float)]
