"""Charging piles: cars come, charge along a curve, finish, and leave; a meter counts and never runs back."""

from collections.abc import Mapping
from typing import Any

from simulators.world.device import HOUR_MS, MINUTE_MS, Metrics, SimulatedDevice, hour_of

CHARGING_STEP_MS = 30_000
IDLE_STEP_MS = 5 * MINUTE_MS
VOLTAGE = 230.0


class ChargingPile(SimulatedDevice):
    """One AC connector of up to 32 A."""

    unhealthy = 0.05
    drifting = ("device_temperature",)

    def begin(self, t_ms: int) -> None:
        self.status = "Available"
        self.error = "NoError"
        self.limit_a = 32.0
        self.register_wh = round(self.rng.uniform(1e5, 4e6), 1)
        self.session_wh = 0.0
        self.session_since_ms = t_ms
        self.wanted_wh = 0.0
        self.current_a = 0.0
        self.enabled = True
        self.moved_ms = t_ms
        if self.rng.random() < 0.5:
            self._plug(t_ms)
        self.next_ms = t_ms + round(self.rng.uniform(1, CHARGING_STEP_MS))
        self.event_ms = t_ms + (self._away_ms(t_ms) if self.status == "Available" else 2 * MINUTE_MS)

    def _away_ms(self, t_ms: int) -> int:
        busy = 17 < hour_of(t_ms) < 24
        return max(MINUTE_MS, round(self.rng.expovariate(1) * (40 if busy else 150) * MINUTE_MS))

    def _plug(self, t_ms: int) -> None:
        self.status = "Preparing"
        self.session_wh = 0.0
        self.session_since_ms = t_ms
        self.wanted_wh = self.rng.uniform(4_000, 30_000)

    def truth(self, t_ms: int) -> Metrics:
        return {
            "connector_status": self.status,
            "error_code": self.error,
            "current_import": round(self.current_a, 1),
            "voltage": VOLTAGE,
            "power_active_import": round(self.current_a * VOLTAGE),
            "current_offered": self.limit_a,
            "energy_active_import_register": round(self.register_wh),
            "session_energy": round(self.session_wh),
            "session_duration": (t_ms - self.session_since_ms) // 1000 if self.status != "Available" else 0,
            "device_temperature": round(24 + self.current_a * 0.6, 1),
            "plugged": self.status not in ("Available", "Unavailable"),
        }

    def wake(self, t_ms: int) -> int:
        self._meter(t_ms)
        if t_ms >= self.event_ms:
            self._event(t_ms)
        if t_ms >= self.next_ms:
            self.next_ms = t_ms + (CHARGING_STEP_MS if self.status == "Charging" else IDLE_STEP_MS)
        self.speak(t_ms)
        return min(self.next_ms, self.event_ms)

    def _meter(self, t_ms: int) -> None:
        energy = self.current_a * VOLTAGE * (t_ms - self.moved_ms) / HOUR_MS
        self.register_wh += energy
        self.session_wh += energy
        self.moved_ms = t_ms
        if self.status == "Charging":
            left = self.wanted_wh - self.session_wh
            self.current_a = min(self.limit_a, 16.0 if left > 1_500 else max(6.0, 16.0 * left / 1_500))
            if left <= 0:
                self.status, self.current_a = "SuspendedEV", 0.0
                self.event_ms = t_ms + round(self.rng.uniform(10, 240)) * MINUTE_MS

    def _event(self, t_ms: int) -> None:
        following = {
            "Available": "Preparing",
            "Preparing": "Charging",
            "SuspendedEV": "Finishing",
            "SuspendedEVSE": "Finishing",
            "Finishing": "Available",
        }
        if self.status == "Available":
            self._plug(t_ms)
            self.event_ms = t_ms + 2 * MINUTE_MS
            return
        self.status = following.get(self.status, self.status)
        if self.status == "Charging" and not self.enabled:
            self.status = "SuspendedEVSE"
        self.event_ms = t_ms + {"Finishing": 3 * MINUTE_MS, "Charging": 10**9, "SuspendedEVSE": 90 * MINUTE_MS}.get(
            self.status, self._away_ms(t_ms)
        )
        if self.status == "Available":
            self.enabled = True

    def obey(self, t_ms: int, verb: str, args: Mapping[str, Any]) -> int | None:
        self._meter(t_ms)
        if verb == "stop_charging":
            self.enabled = False
            if self.status == "Charging":
                self.status, self.current_a = "SuspendedEVSE", 0.0
                self.event_ms = t_ms + 90 * MINUTE_MS
        elif verb == "start_charging":
            self.enabled = True
            if self.status in ("Preparing", "SuspendedEVSE", "Finishing"):
                self.status = "Charging"
                self.wanted_wh = max(self.wanted_wh, self.session_wh + 2_000)
                self.event_ms = t_ms + 10**9
        elif verb == "set_current_limit":
            self.limit_a = float(args["current"])
        self._meter(t_ms)
        self.next_ms = min(self.next_ms, t_ms + CHARGING_STEP_MS)
        self.speak(t_ms)
        return min(self.next_ms, self.event_ms)
