"""Is this place free? A pure decision from what the device last said, and how old that is.

The rule of the house: a place is ``free`` only on a fresh word that it is. Past the staleness limit, without a word, or
on a doubtful one the answer is ``unknown``. Any sample may prove that a sensor is alive, so one that speaks only on
change stays trusted while its heartbeats come, up to the limit counted from the last of them.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from contracts.reading import Quality, Value
from contracts.vocabulary import METRICS

Status = Literal["free", "occupied", "blocked", "reserved", "out_of_service", "unknown"]
STATUSES: tuple[Status, ...] = ("free", "occupied", "blocked", "reserved", "out_of_service", "unknown")
"""blocked: a charger that is free, and a car that is not plugged in stands before it."""


class Latest(NamedTuple):
    """The latest sample of a metric by event time. value None: the device said that it has none."""

    value: Value | None
    observed_ms: int
    quality: Quality


class Decision(NamedTuple):
    """The answer for one place.

    age_ms      since the newest proof that the word still holds; None without any
    confidence  0..1: falls with age towards the limit, lower for an uncertain word; 0 when unknown
    reason      snake_case word
    """

    status: Status
    age_ms: int | None
    confidence: float
    reason: str


DECIDING = {"parking": "spot_status", "charging": "connector_status"}
"""Kind -> the metric that says it. A device without it (a barrier) is not a place."""

_STATUS: Mapping[str, Mapping[str, Status]] = {
    "spot_status": {"free": "free", "occupied": "occupied", "closed": "out_of_service"},
    "connector_status": {
        "Available": "free",
        "Preparing": "occupied",
        "Charging": "occupied",
        "SuspendedEV": "occupied",
        "SuspendedEVSE": "occupied",
        "Finishing": "occupied",
        "Reserved": "reserved",
        "Unavailable": "out_of_service",
        "Faulted": "out_of_service",
    },
}
_CONFIDENCE_UNCERTAIN = 0.5
_CONFIDENCE_AT_LIMIT = 0.5  # just before the limit, a good word counts half
AHEAD_MS_MAX = 60_000
"""How far a sample may lie in the future (clocks differ) and still be believed."""


def decide(kind: str, latest: Mapping[str, Latest], now_ms: int, doubt: str = "") -> Decision:
    """Decide for one place or charger from the latest samples of its metrics. Never raises for a known kind.

    doubt  what a check has found: ``late`` (it should have spoken by now) is unknown, anything else halves the confidence
    """
    metric = DECIDING[kind]
    word = latest.get(metric)
    if word is None:
        return Decision("unknown", None, 0.0, "never_seen")
    believed_until_ms = now_ms + AHEAD_MS_MAX
    if word.observed_ms > believed_until_ms:
        return Decision("unknown", 0, 0.0, "clock_ahead")
    heard_ms = max(sample.observed_ms for sample in latest.values() if sample.observed_ms <= believed_until_ms)
    age_ms = max(0, now_ms - heard_ms)
    if word.value is None or word.quality == Quality.BAD:
        return Decision("unknown", age_ms, 0.0, "no_valid_value")
    if doubt == "late":
        return Decision("unknown", age_ms, 0.0, "late")
    limit_ms = METRICS[metric].stale_after_ms
    if age_ms > limit_ms:
        return Decision("unknown", age_ms, 0.0, "stale")
    status = _STATUS[metric].get(str(word.value))
    if status is None:
        return Decision("unknown", age_ms, 0.0, "said_unknown")
    fault = latest.get("fault")
    if status == "free" and fault is not None and fault.value is True and fault.observed_ms >= word.observed_ms:
        return Decision("out_of_service", age_ms, 1.0, "fault")
    confidence = 1.0 - (1.0 - _CONFIDENCE_AT_LIMIT) * age_ms / limit_ms
    if word.quality != Quality.GOOD:
        return Decision(status, age_ms, round(confidence * _CONFIDENCE_UNCERTAIN, 3), "uncertain_word")
    if doubt:
        return Decision(status, age_ms, round(confidence * _CONFIDENCE_UNCERTAIN, 3), doubt)
    said = "fresh_word" if word.observed_ms >= heard_ms else "alive_since"
    return Decision(status, age_ms, round(confidence, 3), said)


def joined(charger: Decision, place: Decision) -> Decision:
    """A charger together with the place before it: free only if a car can get there.

    No single device says it. On an unsure word about the place the charger's own word stands, with that much less
    confidence.
    """
    if charger.status != "free":
        return charger
    if place.status == "occupied":
        age_ms = max(charger.age_ms or 0, place.age_ms or 0)
        return Decision("blocked", age_ms, min(charger.confidence, place.confidence), "car_not_plugged_in")
    if place.status == "free":
        return charger._replace(confidence=min(charger.confidence, place.confidence))
    if place.status == "unknown":
        return charger._replace(confidence=round(charger.confidence * _CONFIDENCE_UNCERTAIN, 3), reason="place_unknown")
    return Decision(place.status, place.age_ms, place.confidence, f"place_{place.status}")
