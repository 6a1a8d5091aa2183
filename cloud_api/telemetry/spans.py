"""A device's history over all the sources that it had: each asked for its span, the answers put together."""

from collections.abc import Sequence
from itertools import groupby

from cloud_api.telemetry.store import Aggregate, Point, TelemetryStore
from contracts.reading import Value
from device_registry import SourceSpan


async def series_of(
    store: TelemetryStore,
    spans: Sequence[SourceSpan],
    metric: str,
    start_ms: int,
    end_ms: int,
    limit: int,
    after: tuple[int, int] | None = None,
) -> list[Point]:
    """See ``TelemetryStore.series``. spans: the oldest first, without overlap."""
    points: list[Point] = []
    for part in _clipped(spans, start_ms, end_ms):
        if after is None or after[0] < part.to_ms:
            points += await store.series(part.source, metric, part.from_ms, part.to_ms, limit - len(points), after)
        if len(points) >= limit:
            break
    return points


async def steps_of(
    store: TelemetryStore,
    spans: Sequence[SourceSpan],
    metric: str,
    start_ms: int,
    end_ms: int,
    step_ms: int,
    aggregate: Aggregate,
    limit: int,
) -> list[Point]:
    """See ``TelemetryStore.steps``. A step in which the device was moved is one point, of both its sources."""
    found: list[tuple[Point, SourceSpan]] = []
    for part in _clipped(spans, start_ms, end_ms):
        points = await store.steps(part.source, metric, part.from_ms, part.to_ms, step_ms, aggregate, limit)
        found += [(point, part) for point in points]
        if len(found) > limit + len(spans):  # each move may have cut one step in two
            break
    steps = []
    for t_ms, shared in groupby(found, lambda one: one[0].t_ms):
        halves = list(shared)
        if len(halves) == 1:
            steps.append(halves[0][0])
            continue
        weights = [1.0] * len(halves)
        if aggregate == "mean":
            weights = [await _count(store, part, metric, t_ms, step_ms) for _, part in halves]
        value = _together([half.value for half, _ in halves], weights, aggregate)
        steps.append(Point(t_ms, value, max(half.quality for half, _ in halves), 0))
    return steps[:limit]


def _clipped(spans: Sequence[SourceSpan], start_ms: int, end_ms: int) -> list[SourceSpan]:
    parts = [span._replace(from_ms=max(start_ms, span.from_ms), to_ms=min(end_ms, span.to_ms)) for span in spans]
    return [part for part in parts if part.from_ms < part.to_ms]


async def _count(store: TelemetryStore, part: SourceSpan, metric: str, t_ms: int, step_ms: int) -> float:
    """How many samples of this step are within this part."""
    (within,) = _clipped([part], t_ms, t_ms + step_ms)
    points = await store.steps(part.source, metric, within.from_ms, within.to_ms, step_ms, "count", 1)
    return sum(float(point.value or 0) for point in points)


def _together(values: Sequence[Value | None], weights: Sequence[float], aggregate: Aggregate) -> Value | None:
    """One step's value out of those of its parts, the oldest first."""
    if aggregate == "last":
        return next((value for value in reversed(values) if value is not None), None)
    known = [(float(value), weight) for value, weight in zip(values, weights, strict=True) if value is not None]
    if not known:
        return None
    numbers = [number for number, _ in known]
    if aggregate == "mean":
        return sum(number * weight for number, weight in known) / sum(weight for _, weight in known)
    if aggregate in ("count", "sum"):
        total = sum(numbers)
        return int(total) if aggregate == "count" else total
    return min(numbers) if aggregate == "min" else max(numbers)
