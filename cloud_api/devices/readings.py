"""Routes of what devices say: their state now, and the history of one metric."""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Query

import device_registry as registry
from cloud_api.devices.schema import DeviceState, Point, Telemetry
from cloud_api.live.json import metrics_in_json
from cloud_api.pages import Cursor, Limit, cut, decode_cursor
from cloud_api.parts import PartsDep
from cloud_api.people.access import needs
from cloud_api.people.roles import Permission
from cloud_api.problems import Problem, responses
from cloud_api.telemetry import Aggregate, TelemetryStore, series_of, steps_of
from cloud_api.telemetry import Point as StoredPoint
from contracts.vocabulary import DAY_MS, METRICS, Metric

router = APIRouter(tags=["devices"])

WORDS_AGGREGATES = ("count", "last")
"""What can be asked of enums, booleans and texts: a sum of words says nothing."""
TIME_MS_MAX = 4_102_444_800_000  # the year 2100
STEP_MS_MIN = 1_000
Time = Annotated[int | None, Query(ge=0, le=TIME_MS_MAX, description="ms UTC")]


class Span(NamedTuple):
    """What of a series is asked for: start_ms <= t < end_ms; step and aggregate are both there or both not."""

    start_ms: int
    end_ms: int
    step_ms: int | None
    aggregate: Aggregate | None


def span(
    metric: Metric,
    start_ms: int | None,
    end_ms: int | None,
    step_ms: int | None,
    aggregate: Aggregate | None,
    now_ms: int,
) -> Span:
    """Check and complete what was asked: without times the last day. Raises Problem range_invalid."""
    end = now_ms if end_ms is None else end_ms
    start = end - DAY_MS if start_ms is None else start_ms
    if start >= end:
        raise Problem("range_invalid", f"start_ms {start} must lie before end_ms {end}")
    if (step_ms is None) != (aggregate is None):
        raise Problem("range_invalid", "step_ms and aggregate go together: give both, or none for raw samples")
    if aggregate is not None and metric.type != "number" and aggregate not in WORDS_AGGREGATES:
        takes = " or ".join(WORDS_AGGREGATES)
        raise Problem(
            "range_invalid", f"{metric.name} is a {metric.type}: its aggregate can be {takes}, not {aggregate}"
        )
    return Span(max(0, start), end, step_ms, aggregate)


@router.get(
    "/devices/{device_id}/state",
    summary="What a device says now",
    responses=responses("not_found"),
    openapi_extra=needs(Permission.SEE),
)
async def get_state(device_id: str, parts: PartsDep) -> DeviceState:
    """The latest value of each metric by event time: what is filled in later never moves it backwards.

    `stale` values are older than their metric's limit and say nothing about the present.
    """
    row = await registry.device(device_id)
    sources = await registry.sources_of(row)
    metrics = metrics_in_json(parts.live.state_of(sources), parts.clock(), parts.quality.doubts_of(sources))
    return DeviceState.model_validate({"device_id": row.id, "metrics": metrics})


@router.get(
    "/devices/{device_id}/telemetry",
    summary="The history of one metric",
    responses=responses("not_found", "metric_unknown", "range_invalid", "cursor_invalid", "not_ready"),
    openapi_extra=needs(Permission.SEE),
)
async def get_telemetry(
    device_id: str,
    metric: Annotated[str, Query(description="A name of the vocabulary", examples=["temperature"])],
    parts: PartsDep,
    start_ms: Time = None,
    end_ms: Time = None,
    step_ms: Annotated[int | None, Query(ge=STEP_MS_MIN, le=366 * DAY_MS, description="Length of an interval")] = None,
    aggregate: Aggregate | None = None,
    cursor: Cursor = "",
    limit: Limit = 1000,
) -> Telemetry:
    """`start_ms <= t_ms < end_ms`, in the order of time; without times the last 24 hours.

    Raw samples, or with `step_ms` and `aggregate` one point an interval that has samples, counted from 1970: gaps stay
    gaps. Enums come as words, booleans as true and false; their aggregates are `count` and `last`.
    """
    known = METRICS.get(metric)
    if known is None:
        raise Problem("metric_unknown", f"there is no metric {metric!r}; GET /api/v1/vocabulary lists them")
    row = await registry.device(device_id)
    asked = span(known, start_ms, end_ms, step_ms, aggregate, parts.clock())
    place = decode_cursor(cursor, int, int)
    after = (int(place[0]), int(place[1])) if place else None
    found = await _points(parts.telemetry, await registry.sources_of(row), metric, asked, limit + 1, after)
    page, following = cut(found, limit, lambda point: (point.t_ms, point.place))
    return Telemetry(
        device_id=row.id,
        metric=metric,
        unit=None if aggregate == "count" else known.unit or None,
        points=[
            Point.model_validate({"t_ms": at.t_ms, "value": at.value, "quality": at.quality.name.lower()})
            for at in page
        ],
        next_cursor=following,
    )


async def _points(
    store: TelemetryStore,
    sources: Sequence[registry.SourceSpan],
    metric: str,
    asked: Span,
    limit: int,
    after: tuple[int, int] | None,
) -> list[StoredPoint]:
    if asked.step_ms is None or asked.aggregate is None:
        return await series_of(store, sources, metric, asked.start_ms, asked.end_ms, limit, after)
    start_ms = asked.start_ms if after is None else after[0] + asked.step_ms
    return await steps_of(store, sources, metric, start_ms, asked.end_ms, asked.step_ms, asked.aggregate, limit)
