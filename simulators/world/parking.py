"""Parking places, which cars take and leave, and barriers."""

from collections.abc import Mapping
from typing import Any

from simulators.world.device import (
    HOUR_MS,
    MINUTE_MS,
    Metrics,
    SimulatedDevice,
    hour_of,
    is_weekend,
    outdoor_temperature,
)

HEARTBEAT_MS = 15 * MINUTE_MS


def occupancy(t_ms: int) -> float:
    """The share of residents' places that are taken: full at night, empty on a workday's noon."""
    hour = hour_of(t_ms)
    at_home = 1.0 if hour < 6.5 or hour > 20 else 0.45 if 9 < hour < 17 else 0.75
    return 0.35 + 0.55 * (max(at_home, 0.8) if is_weekend(t_ms) else at_home)


class ParkingPlace(SimulatedDevice):
    """A place with a sensor in the ground: speaks on every change and every quarter of an hour."""

    drifting = ("temperature",)
    lying = ("spot_status",)

    def begin(self, t_ms: int) -> None:
        self.occupied = self.rng.random() < occupancy(t_ms)
        self.since_ms = t_ms - round(self.rng.uniform(1, 300)) * MINUTE_MS
        self.before_min = 0
        self.battery = self.rng.uniform(3.2, 3.6)
        self.change_ms = t_ms + self._dwell_ms(t_ms)
        self.heartbeat_ms = t_ms + round(self.rng.uniform(0.1, 1) * HEARTBEAT_MS)

    def _dwell_ms(self, t_ms: int) -> int:
        # The longer stay goes to the state that the hour favours.
        favoured = occupancy(t_ms) > 0.6
        median_min = 190 if self.occupied == favoured else 45
        return max(MINUTE_MS, round(median_min * MINUTE_MS * self.rng.lognormvariate(0, 0.7)))

    def truth(self, t_ms: int) -> Metrics:
        return {
            "spot_status": "occupied" if self.occupied else "free",
            "previous_state_duration": self.before_min,
            "temperature": round((outdoor_temperature(t_ms)) * 2) / 2,
            "battery_voltage": round(self.battery, 3),
        }

    def wake(self, t_ms: int) -> int:
        if t_ms >= self.change_ms:
            self.before_min = max(0, (t_ms - self.since_ms) // MINUTE_MS)
            self.occupied = not self.occupied
            self.since_ms = t_ms
            self.change_ms = t_ms + self._dwell_ms(t_ms)
            self.speak(t_ms)
        if t_ms >= self.heartbeat_ms:
            self.battery -= 0.000002
            self.heartbeat_ms = t_ms + HEARTBEAT_MS
            self.speak(t_ms)
        return min(self.change_ms, self.heartbeat_ms)


class Barrier(SimulatedDevice):
    """A barrier at the drive: opens for cars and on command, closes after them, and never onto one."""

    unhealthy = 0.0
    MOVE_MS = 3_000
    STAYS_OPEN_MS = 30_000

    def begin(self, t_ms: int) -> None:
        self.state = "closed"
        self.vehicle = False
        self.passages = 0
        self.next_ms = t_ms + round(self.rng.expovariate(1) * 3 * MINUTE_MS) + 1
        self.speak_ms = t_ms + 5 * MINUTE_MS
        self.then = "arrive"

    def truth(self, t_ms: int) -> Metrics:
        return {
            "barrier_state": self.state,
            "vehicle_present": self.vehicle,
            "passage_count": self.passages,
            "mains_power": True,
        }

    def wake(self, t_ms: int) -> int:
        if t_ms >= self.next_ms:
            self._move(t_ms)
            self.speak(t_ms)
        if t_ms >= self.speak_ms:
            self.speak_ms = t_ms + 5 * MINUTE_MS
            self.speak(t_ms)
        return min(self.next_ms, self.speak_ms)

    def _move(self, t_ms: int) -> None:
        if self.then == "arrive":
            self.vehicle, self.state, self.then = True, "opening", "opened"
            self.next_ms = t_ms + self.MOVE_MS
        elif self.then == "opened":
            self.state, self.then = "open", "close"
            self.next_ms = t_ms + self.STAYS_OPEN_MS
        elif self.then == "close":
            self.passages += self.vehicle
            self.vehicle, self.state, self.then = False, "closing", "closed"
            self.next_ms = t_ms + self.MOVE_MS
        else:
            self.state, self.then = "closed", "arrive"
            per_hour = 20 if 6 < hour_of(t_ms) < 22 else 2
            self.next_ms = t_ms + max(1_000, round(self.rng.expovariate(per_hour) * HOUR_MS))

    def obey(self, t_ms: int, verb: str, args: Mapping[str, Any]) -> int | None:
        if verb == "open_barrier" and self.state != "open":
            self.state, self.then, self.next_ms = "opening", "opened", t_ms + self.MOVE_MS
        elif verb == "close_barrier" and self.state != "closed" and not self.vehicle:
            self.state, self.then, self.next_ms = "closing", "closed", t_ms + self.MOVE_MS
        self.speak(t_ms)
        return min(self.next_ms, self.speak_ms)
