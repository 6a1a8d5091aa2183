"""Routes of bins: how full each is and when it will be, and when it was emptied."""

from collections.abc import Sequence

from fastapi import APIRouter
from pydantic import BaseModel, Field

import device_registry as registry
from cloud_api.bins.filling import BinStatus, Fill, emptyings, full_at_ms, level, status
from cloud_api.devices.readings import Time, span
from cloud_api.names import BilingualName
from cloud_api.pages import Cursor, Limit, Page, cut, id_after
from cloud_api.parts import PartsDep
from cloud_api.people.access import needs
from cloud_api.people.roles import Permission
from cloud_api.problems import responses
from cloud_api.telemetry import TelemetryStore, steps_of
from contracts.vocabulary import DAY_MS, HOUR_MS, METRICS

router = APIRouter(tags=["bins"])

LOOK_BACK_MS = 4 * DAY_MS
STEP_MS = HOUR_MS // 2
STEPS_MAX = 3_000


class Bin(BaseModel):
    """A bin now.

    `fill_percent` is null where the sensor gives only a distance and the bin's `height_mm` is not among its parameters, or
    when its word is stale. `full_at_ms`: when it will be full at the present pace; null while that can't be said.
    """

    device_id: str = Field(examples=["dev-z72blpgg5flow7sn"])
    name: BilingualName
    status: BinStatus
    fill_percent: float | None = Field(examples=[63.0])
    observed_at_ms: int | None = Field(examples=[1_790_000_000_000])
    full_at_ms: int | None = Field(examples=[1_790_020_000_000])
    emptied_at_ms: int | None = Field(examples=[1_789_950_000_000])


class BinPage(Page):
    """A page of bins."""

    items: list[Bin]


class Emptied(BaseModel):
    """The proof that a bin was emptied: its level fell by more than 30 points between two looks."""

    t_ms: int = Field(examples=[1_790_000_000_000])
    after_ms: int = Field(examples=[1_789_998_200_000])
    from_percent: float = Field(examples=[88.0])
    to_percent: float = Field(examples=[2.0])


class Emptyings(BaseModel):
    """When a bin was emptied, in the order of time."""

    items: list[Emptied]


@router.get("/bins", summary="Bins: how full, and when they will be", openapi_extra=needs(Permission.SEE))
async def list_bins(parts: PartsDep, cursor: Cursor = "", limit: Limit = 100, community: str = "") -> BinPage:
    """In the order of their ids."""
    where = registry.DeviceFilter(community=community, kind="waste", status="adopted")
    found = await registry.devices(where, id_after(cursor), limit + 1)
    rows, following = cut(found, limit, lambda row: (row.id,))
    sources = await registry.sources_of_all(rows)
    now_ms = parts.clock()
    return BinPage(items=[await _bin(row, sources[row.id], parts, now_ms) for row in rows], next_cursor=following)


async def _bin(row: registry.Device, sources: Sequence[registry.SourceSpan], parts: PartsDep, now_ms: int) -> Bin:
    state = parts.live.state_of(sources)
    fresh = {
        name: seen.value
        for name, seen in state.items()
        if seen.value is not None and now_ms - seen.observed_ms <= METRICS[name].stale_after_ms
    }
    doubts = parts.quality.doubts_of(sources)
    fills = await _fills(parts.telemetry, sources, row.parameters, now_ms - LOOK_BACK_MS, now_ms + STEP_MS)
    name = "fill_level" if "fill_level" in state else "fill_distance"
    percent = None
    if name in fresh and name not in doubts:
        value = float(fresh[name])
        percent = value if name == "fill_level" else level(value, row.parameters)
    emptied = emptyings(fills)
    return Bin(
        device_id=row.id,
        name=BilingualName.of(row),
        status=status(percent, fresh),
        fill_percent=percent,
        observed_at_ms=state[name].observed_ms if name in state else None,
        full_at_ms=full_at_ms(fills) if percent is not None else None,
        emptied_at_ms=emptied[-1].t_ms if emptied else None,
    )


@router.get(
    "/devices/{device_id}/emptyings",
    summary="When a bin was emptied",
    responses=responses("not_found", "range_invalid"),
    openapi_extra=needs(Permission.SEE),
)
async def get_emptyings(device_id: str, parts: PartsDep, start_ms: Time = None, end_ms: Time = None) -> Emptyings:
    """Within `start_ms <= t < end_ms`, the last day unless given; to half an hour, at most the newest 62 days of it."""
    row = await registry.device(device_id)
    asked = span(METRICS["fill_level"], start_ms, end_ms, None, None, parts.clock())
    start = max(asked.start_ms, asked.end_ms - STEPS_MAX * STEP_MS)
    sources = await registry.sources_of(row)
    fills = await _fills(parts.telemetry, sources, row.parameters, start, asked.end_ms)
    return Emptyings(items=[Emptied(**each._asdict()) for each in emptyings(fills)])


async def _fills(
    store: TelemetryStore,
    sources: Sequence[registry.SourceSpan],
    parameters: dict[str, float],
    start_ms: int,
    end_ms: int,
) -> list[Fill]:
    """The level, half hour by half hour (the last word of each); [] where it can't be known."""
    points = await steps_of(store, sources, "fill_level", start_ms, end_ms, STEP_MS, "last", STEPS_MAX)
    levels = [(point.t_ms, point.value) for point in points]
    if not levels:
        points = await steps_of(store, sources, "fill_distance", start_ms, end_ms, STEP_MS, "last", STEPS_MAX)
        levels = [(point.t_ms, level(float(point.value), parameters)) for point in points if point.value is not None]
    return [Fill(t_ms, float(percent)) for t_ms, percent in levels if percent is not None]
