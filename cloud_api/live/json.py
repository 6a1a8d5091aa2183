"""Latest values as they stand in JSON: with age and staleness, by the vocabulary. Pure."""

from collections.abc import Mapping
from typing import Any

from cloud_api.live.latest import LiveValue
from contracts.vocabulary import METRICS


def metric_in_json(metric: str, latest: LiveValue, now_ms: int) -> dict[str, Any]:
    """One metric as in ``GET devices/{id}/state``. unit is None for booleans, enums, texts and counts."""
    known = METRICS[metric]
    age_ms = max(0, now_ms - latest.observed_ms)
    return {
        "value": latest.value,
        "unit": known.unit or None,
        "observed_at_ms": latest.observed_ms,
        "received_at_ms": latest.received_ms,
        "age_ms": age_ms,
        "quality": latest.quality.name.lower(),
        "reason": latest.reason,
        "stale": age_ms > known.stale_after_ms,
    }


def metrics_in_json(metrics: Mapping[str, LiveValue], now_ms: int) -> dict[str, Any]:
    """All metrics of a device."""
    return {metric: metric_in_json(metric, latest, now_ms) for metric, latest in sorted(metrics.items())}
