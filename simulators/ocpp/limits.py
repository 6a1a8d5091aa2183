"""Charging profiles of a charge point, of either version, and the limit that follows. Pure; times by its own clock."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from simulators.ocpp.clock import read

VOLTAGE_V = 230.0
POINT, DEFAULT, TRANSACTION = "point", "default", "transaction"
PURPOSES = {
    "ChargePointMaxProfile": POINT,
    "ChargingStationMaxProfile": POINT,
    "TxDefaultProfile": DEFAULT,
    "TxProfile": TRANSACTION,
}


@dataclass(frozen=True)
class Profile:
    """periods: from so many ms after ``start_ms``, so many amperes a phase; the first is 0. end_ms: None, it lasts."""

    id: int
    purpose: str
    connector: int
    stack: int
    start_ms: int
    end_ms: int | None
    periods: tuple[tuple[int, float], ...]

    def amps(self, now_ms: int) -> float | None:
        """What it allows now; None when it is not in force."""
        if now_ms < self.start_ms or (self.end_ms is not None and now_ms >= self.end_ms):
            return None
        return [amps for after_ms, amps in self.periods if self.start_ms + after_ms <= now_ms][-1]


def read_profile(document: Mapping[str, Any], connector: int, now_ms: int) -> Profile | None:
    """A profile as a central system sets it, with snake_case keys; None when this charge point can't keep it."""
    purpose = PURPOSES.get(document["charging_profile_purpose"])
    schedules = document["charging_schedule"]
    schedule = schedules[0] if isinstance(schedules, list) else schedules
    if purpose is None or document["charging_profile_kind"] == "Recurring":
        return None
    starts = [read(said) for said in (schedule.get("start_schedule"), document.get("valid_from")) if said]
    start_ms = max(starts, default=now_ms)
    ends = [read(document["valid_to"])] if "valid_to" in document else []
    ends += [start_ms + int(schedule["duration"]) * 1000] if "duration" in schedule else []
    watts = schedule["charging_rate_unit"] == "W"
    periods = tuple(
        (
            int(one["start_period"]) * 1000,
            float(one["limit"]) / (VOLTAGE_V * int(one.get("number_phases", 3)) if watts else 1),
        )
        for one in schedule["charging_schedule_period"]
    )
    return Profile(
        document.get("charging_profile_id", document.get("id", 0)), purpose, connector, document["stack_level"],
        start_ms if starts else 0, min(ends, default=None), periods,
    )  # fmt: skip


class Limits:
    """The profiles of one charge point; of one purpose, connector and stack level there is one."""

    def __init__(self) -> None:
        self._profiles: dict[tuple[str, int, int], Profile] = {}

    def set(self, profile: Profile) -> None:
        """Keep it in place of the one that it replaces."""
        same = [key for key, one in self._profiles.items() if one.id == profile.id]
        for key in same:
            del self._profiles[key]
        self._profiles[profile.purpose, profile.connector, profile.stack] = profile

    def clear(self, which: Callable[[Profile], bool]) -> bool:
        """Forget those. False: there was none."""
        gone = [key for key, one in self._profiles.items() if which(one)]
        for key in gone:
            del self._profiles[key]
        return bool(gone)

    def transaction_ended(self, connector: int) -> None:
        """Profiles of a transaction go with it."""
        self.clear(lambda one: one.purpose == TRANSACTION and one.connector == connector)

    def power_lost(self) -> None:
        """Profiles of transactions are gone; all others are kept."""
        self.clear(lambda one: one.purpose == TRANSACTION)

    def amps(self, connector: int, now_ms: int) -> float:
        """The limit at a connector, A a phase; infinite without one."""
        own = self._highest(TRANSACTION, connector, now_ms)
        if own is None:
            own = self._highest(DEFAULT, connector, now_ms)
        if own is None:
            own = self._highest(DEFAULT, 0, now_ms)
        limits = [own, self._highest(POINT, 0, now_ms), self._highest(POINT, connector, now_ms)]
        return min((amps for amps in limits if amps is not None), default=float("inf"))

    def _highest(self, purpose: str, connector: int, now_ms: int) -> float | None:
        found = None
        for (kind, where, stack), profile in self._profiles.items():
            amps = profile.amps(now_ms) if (kind, where) == (purpose, connector) else None
            if amps is not None and (found is None or stack > found[0]):
                found = stack, amps
        return found[1] if found else None
