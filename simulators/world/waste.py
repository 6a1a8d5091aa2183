"""Bins that people fill and crews empty; some can compact."""

from collections.abc import Mapping
from typing import Any

from simulators.world.device import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    Metrics,
    SimulatedDevice,
    hour_of,
    outdoor_temperature,
)

HEIGHT_MM = 1_200
REPORT_MS = 30 * MINUTE_MS


class Bin(SimulatedDevice):
    """A bin with a distance sensor in its lid: speaks every half hour, and when it is full, tipped or emptied."""

    drifting = ("temperature",)

    def begin(self, t_ms: int) -> None:
        self.level = self.rng.uniform(5, 80)  # %
        self.per_hour = self.rng.uniform(0.6, 2.5)
        self.battery = self.rng.uniform(60, 99)
        self.tilted = False
        self.moved_ms = t_ms
        self.collections = 0
        self.collect_ms = self._next_collection(t_ms)
        self.next_ms = t_ms + round(self.rng.uniform(0.05, 1) * REPORT_MS)

    def _next_collection(self, t_ms: int) -> int:
        morning = t_ms // DAY_MS * DAY_MS + 6 * HOUR_MS + round(self.rng.uniform(0, 3) * HOUR_MS)
        return morning if morning > t_ms else morning + DAY_MS

    def truth(self, t_ms: int) -> Metrics:
        return {
            "fill_level": round(self.level, 1),
            "fill_distance": round(HEIGHT_MM * (1 - self.level / 100)) + 50,
            "temperature": round(outdoor_temperature(t_ms) + 3, 1),
            "battery_level": round(self.battery),
            "tilt_alarm": self.tilted,
            "full_alarm": self.level >= 90,
            "collection_count": self.collections,
        }

    def _fill(self, t_ms: int) -> None:
        awake = 1.3 if 6 < hour_of(t_ms) < 22 else 0.2
        hours = (t_ms - self.moved_ms) / HOUR_MS
        self.level = min(100.0, self.level + self.per_hour * awake * hours * self.rng.uniform(0.5, 1.5))
        self.battery = max(5.0, self.battery - 0.01 * hours)
        self.moved_ms = t_ms

    def wake(self, t_ms: int) -> int:
        was_full = self.level >= 90
        self._fill(t_ms)
        emptied = t_ms >= self.collect_ms
        if emptied:
            self.level = self.rng.uniform(0, 4)
            self.collections += 1
            self.collect_ms = self._next_collection(t_ms)
        self.tilted = self.rng.random() < 0.002
        if t_ms >= self.next_ms or emptied or (self.level >= 90) != was_full:
            self.speak(t_ms)
            self.next_ms = t_ms + REPORT_MS
        return min(self.next_ms, self.collect_ms)


class Compactor(Bin):
    """A bin that compacts by itself when it is nearly full, or on command."""

    unhealthy = 0.0
    COMPACTING_MS = 40_000

    def begin(self, t_ms: int) -> None:
        super().begin(t_ms)
        self.state = "idle"
        self.compactions = 0
        self.done_ms = 0

    def truth(self, t_ms: int) -> Metrics:
        truth = super().truth(t_ms)
        return {name: truth[name] for name in ("fill_level", "temperature", "battery_level", "collection_count")} | {
            "compactor_state": self.state,
            "compaction_count": self.compactions,
            "lid_open": False,
        }

    def wake(self, t_ms: int) -> int:
        if self.state == "compacting" and t_ms >= self.done_ms:
            self.state = "idle"
            self.compactions += 1
            self.level *= 0.6
            self.speak(t_ms)
        following = super().wake(t_ms)
        if self.state == "idle" and self.level > 85:
            self._compact(t_ms)
        return min(following, self.done_ms) if self.state == "compacting" else following

    def _compact(self, t_ms: int) -> None:
        self.state, self.done_ms = "compacting", t_ms + self.COMPACTING_MS
        self.speak(t_ms)

    def obey(self, t_ms: int, verb: str, args: Mapping[str, Any]) -> int | None:
        if verb == "compact" and self.state == "idle":
            self._compact(t_ms)
        else:
            self.speak(t_ms)
        return self.done_ms if self.state == "compacting" else None
