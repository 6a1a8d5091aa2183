"""What a telemetry store is, whatever holds it. Every adapter passes tests/integration/telemetry_store."""

from typing import Literal, NamedTuple, Protocol, get_args

from cloud_api.projections.runner import Projection
from contracts.reading import Quality, Value

Source = tuple[str, str]
"""(gateway, external id of the device): telemetry knows nothing of the registry."""

Aggregate = Literal["count", "sum", "min", "max", "mean", "last"]
AGGREGATES: tuple[Aggregate, ...] = get_args(Aggregate)


class Point(NamedTuple):
    """A sample, or what a step holds. value None: the device said that it had no valid value.

    place  orders points of the same time; with t_ms it is where the next page goes on
    """

    t_ms: int
    value: Value | None
    quality: Quality
    place: int


class StoreAway(OSError):
    """The store does not answer now, or not to us. What it holds is still there; try again later."""


class TelemetryStore(Projection, Protocol):
    """A projection of the frame log that answers for series. Samples of the same time are all kept.

    Every method raises StoreAway when a store on another machine does not answer.
    """

    async def series(
        self, source: Source, metric: str, start_ms: int, end_ms: int, limit: int, after: tuple[int, int] | None = None
    ) -> list[Point]:
        """Samples with start_ms <= t < end_ms in order of time and arrival, after (t_ms, place), at most ``limit``."""

    async def steps(
        self, source: Source, metric: str, start_ms: int, end_ms: int, step_ms: int, aggregate: Aggregate, limit: int
    ) -> list[Point]:
        """One point for every step that holds a sample: t_ms is the step's beginning, counted from 1970.

        count is of samples that have a value; sum, min, max and mean are of numbers (booleans count as 0 and 1, enums
        only under count and last). Quality is the worst of the step.
        """

    async def prune(self, before_ms: int) -> None:
        """Forget samples with t < before_ms; the frame log still has them, so a rebuild brings them back."""

    async def keeps_all(self) -> str:
        """Why this store can't ``prune``, and what to do; "" when it can."""

    async def close(self) -> None:
        """Close it."""
