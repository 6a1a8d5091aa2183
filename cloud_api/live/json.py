"""Latest values as they stand in JSON: with age and staleness, by the vocabulary. Pure."""

from collections.abc import Mapping
from typing import Any

from cloud_api.live.latest import LiveValue
from contracts.reading import Quality
from contracts.vocabulary import METRICS


def metric_in_json(metric: str, latest: LiveValue, now_ms: int, doubt: str = "") -> dict[str, Any]:
    """One metric as in ``GET devices/{id}/state``. unit is None for booleans, enums, texts and counts.

    doubt  why the cloud does not believe a value that its gateway found good; "" when it does
    """
    known = METRICS[metric]
    age_ms = max(0, now_ms - latest.observed_ms)
    quality, reason = latest.quality, latest.reason
    if doubt and quality is Quality.GOOD:
        quality, reason = Quality.UNCERTAIN, doubt
    return {
        "value": latest.value,
        "unit": known.unit or None,
        "observed_at_ms": latest.observed_ms,
        "received_at_ms": latest.received_ms,
        "age_ms": age_ms,
        "quality": quality.name.lower(),
        "reason": reason,
        "stale": age_ms > known.stale_after_ms,
    }


def metrics_in_json(metrics: Mapping[str, LiveValue], now_ms: int, doubts: Mapping[str, str]) -> dict[str, Any]:
    """All metrics of a device. doubts: metric -> why its value is not believed."""
    return {
        metric: metric_in_json(metric, latest, now_ms, doubts.get(metric, ""))
        for metric, latest in sorted(metrics.items())
    }
