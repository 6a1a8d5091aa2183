"""Rooms with people in them, heating, water, power, leaks and smoke."""

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


class RoomAir(SimulatedDevice):
    """A room's air: carbon dioxide follows the people, the temperature follows both."""

    drifting = ("co2", "temperature")
    STEP_MS = 5 * MINUTE_MS

    def begin(self, t_ms: int) -> None:
        self.size = self.rng.uniform(0.6, 1.6)
        self.people = 0
        self.co2 = 450.0
        self.temperature = self.rng.uniform(19, 23)
        self.next_ms = t_ms + round(self.rng.uniform(0.02, 1) * self.STEP_MS)

    def truth(self, t_ms: int) -> Metrics:
        return {
            "temperature": round(self.temperature, 1),
            "humidity": round(45 + 3 * self.people / self.size - (self.temperature - 21), 0),
            "co2": round(self.co2),
            "motion": self.people > 0,
            "illuminance": round(320 if self.people else 12 + 25 * max(0, 6 - abs(hour_of(t_ms) - 12))),
            "pressure": 1013.2,
            "battery_voltage": 3.6,
            "head_count": self.people,
        }

    def wake(self, t_ms: int) -> int:
        wanted = 0 if not 7 < hour_of(t_ms) < 22 else 2 if is_weekend(t_ms) else 5
        if self.rng.random() < 0.3:
            self.people = max(0, min(12, round(self.rng.gauss(wanted, 1.5)) if wanted else 0))
        target = 420 + 130 * self.people / self.size
        self.co2 += (target - self.co2) * 0.25 + self.rng.gauss(0, 4)
        comfort = 20.5 + 0.15 * self.people + 0.1 * (outdoor_temperature(t_ms) - 14)
        self.temperature += (comfort - self.temperature) * 0.1 + self.rng.gauss(0, 0.05)
        self.speak(t_ms)
        self.next_ms = t_ms + self.STEP_MS
        return self.next_ms


class Thermostat(SimulatedDevice):
    """A heated room: the valve follows the set-point, the temperature follows the valve."""

    unhealthy = 0.0
    STEP_MS = 5 * MINUTE_MS

    def begin(self, t_ms: int) -> None:
        self.setpoint = 20.0
        self.temperature = self.rng.uniform(18.5, 21)
        self.valve = 20
        self.window = False
        self.moved_ms = t_ms

    def truth(self, t_ms: int) -> Metrics:
        return {
            "temperature": round(self.temperature, 1),
            "setpoint_temperature": self.setpoint,
            "valve_position": self.valve,
            "window_open": self.window,
            "battery_level": 84,
        }

    def _heat(self, t_ms: int) -> None:
        hours = (t_ms - self.moved_ms) / HOUR_MS
        self.moved_ms = t_ms
        self.window = 7 < hour_of(t_ms) < 9 and self.rng.random() < 0.1
        self.valve = 0 if self.window else max(0, min(100, round(30 + 40 * (self.setpoint - self.temperature))))
        loss = (self.temperature - outdoor_temperature(t_ms)) * (0.6 if self.window else 0.12)
        self.temperature += min(1.0, hours) * (self.valve / 100 * 2.6 - loss)

    def wake(self, t_ms: int) -> int:
        self._heat(t_ms)
        self.speak(t_ms)
        return t_ms + self.STEP_MS

    def obey(self, t_ms: int, verb: str, args: Mapping[str, Any]) -> int | None:
        if verb == "set_temperature":
            self.setpoint = float(args["temperature"])
        self._heat(t_ms)
        self.speak(t_ms)
        return None


class WaterValve(SimulatedDevice):
    """The valve of a riser, with its meter: no flow when it is shut."""

    unhealthy = 0.0
    STEP_MS = 5 * MINUTE_MS

    def begin(self, t_ms: int) -> None:
        self.open = True
        self.volume = self.rng.uniform(200, 4_000)
        self.flow = 0.2
        self.moved_ms = t_ms

    def truth(self, t_ms: int) -> Metrics:
        return {
            "valve_open": self.open,
            "water_flow": round(self.flow, 3),
            "water_volume": round(self.volume, 3),
            "water_leak": False,
        }

    def _run(self, t_ms: int) -> None:
        self.volume += self.flow * (t_ms - self.moved_ms) / HOUR_MS
        self.moved_ms = t_ms
        hour = hour_of(t_ms)
        busy = 1.2 if 6 < hour < 9 or 18 < hour < 22 else 0.25
        self.flow = busy * self.rng.uniform(0.2, 1.4) if self.open else 0.0

    def wake(self, t_ms: int) -> int:
        self._run(t_ms)
        self.speak(t_ms)
        return t_ms + self.STEP_MS

    def obey(self, t_ms: int, verb: str, args: Mapping[str, Any]) -> int | None:
        self.open = {"open_valve": True, "close_valve": False}.get(verb, self.open)
        self._run(t_ms)
        self.speak(t_ms)
        return None


class PowerMeter(SimulatedDevice):
    """A metered supply that can be switched: corridor lights, a pump."""

    unhealthy = 0.04
    STEP_MS = 2 * MINUTE_MS

    def begin(self, t_ms: int) -> None:
        self.on = True
        self.load_w = self.rng.uniform(150, 900)
        self.power = self.load_w
        self.register_wh = self.rng.uniform(1e4, 9e5)
        self.moved_ms = t_ms

    def truth(self, t_ms: int) -> Metrics:
        return {
            "relay_on": self.on,
            "power_active_import": round(self.power, 1),
            "voltage": 229.0,
            "current_import": round(self.power / 229, 3),
            "energy_active_import_register": round(self.register_wh, 3),
            "power_factor": 0.97,
            "device_temperature": 31.5,
        }

    def _run(self, t_ms: int) -> None:
        self.register_wh += self.power * (t_ms - self.moved_ms) / HOUR_MS
        self.moved_ms = t_ms
        dark = not 7 < hour_of(t_ms) < 18
        self.power = self.load_w * (1.0 if dark else 0.3) * self.rng.uniform(0.9, 1.1) if self.on else 0.0

    def wake(self, t_ms: int) -> int:
        self._run(t_ms)
        self.speak(t_ms)
        return t_ms + self.STEP_MS

    def obey(self, t_ms: int, verb: str, args: Mapping[str, Any]) -> int | None:
        self.on = {"switch_on": True, "switch_off": False}.get(verb, self.on)
        self._run(t_ms)
        self.speak(t_ms)
        return None


class SafetySensor(SimulatedDevice):
    """A leak or smoke sensor: speaks every half hour, and at once when something is wrong, which is rare."""

    unhealthy = 0.06
    metric = "water_leak"
    STEP_MS = 30 * MINUTE_MS
    per_day = 0.02

    def begin(self, t_ms: int) -> None:
        self.alarm = False
        self.battery = self.rng.uniform(40, 100)
        self.next_ms = t_ms + round(self.rng.uniform(0.02, 1) * self.STEP_MS)

    def truth(self, t_ms: int) -> Metrics:
        return {
            self.metric: self.alarm,
            "battery_level": round(self.battery),
            "battery_voltage": 3.0,
            "temperature": round(outdoor_temperature(t_ms) + 6, 1),
            "link_quality": 96,
        }

    def wake(self, t_ms: int) -> int:
        if self.alarm:
            self.alarm = self.rng.random() < 0.5
        else:
            self.alarm = self.rng.random() < self.per_day * self.STEP_MS / (24 * HOUR_MS)
        self.battery = max(1.0, self.battery - 0.002)
        self.speak(t_ms)
        return t_ms + self.STEP_MS


class LeakSensor(SafetySensor):
    """Water on the floor."""


class SmokeSensor(SafetySensor):
    """Smoke under the ceiling."""

    metric = "smoke_alarm"
    per_day = 0.005
