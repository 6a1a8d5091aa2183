"""The models: which instrument tells what, in which steps, how often, and how it fails (per device and year)."""

from collections.abc import Mapping
from typing import Any

from contracts.reading import Value
from simulators.world import rhythms
from simulators.world.charge_point import ChargePoint
from simulators.world.device import Device
from simulators.world.faults import FaultKind, silent
from simulators.world.rhythms import DAY_MS, HOUR_MS, MINUTE_MS
from simulators.world.things import Air, Bin, Gate, Load, Place, Room, Water


def _nwave_minutes(minutes: int) -> int | None:
    """The nearest duration that seven bits can say, not above it; None past their end."""
    if minutes < 90:
        return minutes
    if minutes < 240:
        return 90 + (minutes - 90) // 5 * 5
    return 240 + (minutes - 240) // 60 * 60 if minutes < 660 else None


class PlaceSensor(Device):
    """Nwave NPS: one byte at a change, a heartbeat with temperature and battery every hour."""

    PERIOD_MS = 50 * MINUTE_MS
    FAULTS = (
        silent(),
        FaultKind("stuck", 40 * DAY_MS, 12 * HOUR_MS),
        FaultKind("lie", 30 * DAY_MS, 2 * HOUR_MS, "spot_status", "flip"),  # the neighbour's car, a manhole cover
    )
    thing: Place | ChargePoint  # of a charging bay, it sees the car that is charged, or one that only stands there
    _told = ""

    def true(self) -> dict[str, Value]:
        cold = min(0.0, rhythms.outdoor_cel(self.agenda.now_ms)) * 0.01
        return {
            "spot_status": self._status(),
            "temperature": round(rhythms.outdoor_cel(self.agenda.now_ms) * 2) / 2,
            "battery_voltage": (2500 + 4 * round((300 + self.battery_percent * 7 + cold * 1000) / 4)) / 1000,
        }

    def on_change(self) -> dict[str, Value]:
        lasted = _nwave_minutes((self.agenda.now_ms - self.thing.since_ms) // MINUTE_MS)
        if lasted is None:
            return {"spot_status": self._status()}
        return {"spot_status": self._status(), "previous_state_duration": lasted}

    def notice(self) -> None:
        if self._told != self._status():  # a charge point changes in ways that the ground does not see
            self._told = self._status()
            super().notice()

    def _status(self) -> str:
        return "occupied" if self.thing.occupied else "free"


class Barrier(Device):
    """A barrier: opens for a car by itself, or by command; closes when the lane is clear."""

    PERIOD_MS = 2 * MINUTE_MS
    MOVE_MS = 1_500
    FAULTS = (silent(every_days=60, hours=1),)
    thing: Gate
    _state = "closed"
    _move = 0

    def true(self) -> dict[str, Value]:
        return {
            "barrier_state": self._state,
            "vehicle_present": self.thing.car,
            "passage_count": self.thing.passages,
            "mains_power": True,
        }

    def notice(self) -> None:
        super().notice()
        self._go("opening", "open")
        self.agenda.after(6_000 + self.random.uniform(0, 4_000), self.spec.id, self._through)

    def _through(self) -> None:
        self.thing.passed()
        self.say("change", self.true())
        self._go("closing", "closed")

    def _go(self, moving: str, then: str) -> None:
        self._move += 1
        move = self._move
        self._state = moving
        self.say("change", self.true())

        def arrive() -> None:
            if move == self._move:
                self._state = then
                self.say("change", self.true())

        self.agenda.after(self.MOVE_MS, self.spec.id, arrive)

    def obey(self, verb: str, args: Mapping[str, Any]) -> bool:
        if verb == "open_barrier":
            self._go("opening", "open")
        elif verb == "close_barrier" and not self.thing.car:  # never onto a car
            self._go("closing", "closed")
        else:
            return False
        return True


class Pile(Device):
    """What OpenEVSE and EVerest have in common."""

    FAULTS: tuple[FaultKind, ...] = (silent(every_days=40, hours=1),)
    thing: ChargePoint

    def period_ms(self) -> float:
        return 30_000 if self.thing.status == "Charging" else 5 * MINUTE_MS

    def obey(self, verb: str, args: Mapping[str, Any]) -> bool:
        if verb == "stop_charging":
            return self.thing.stop()
        if verb == "start_charging":
            return self.thing.start()
        if verb == "set_current_limit":
            return self.thing.limit(float(args["current"]))
        return False


class OpenEvse(Pile):
    """OpenEVSE: one phase. It cannot tell a full car from one that waits: both are "connected"."""

    FAULTS = (*Pile.FAULTS, FaultKind("invalid", 30 * DAY_MS, HOUR_MS, "device_temperature"))

    def true(self) -> dict[str, Value]:
        point = self.thing
        return {
            "connector_status": "Preparing" if point.status == "SuspendedEV" else point.status,
            "error_code": point.error,
            "plugged": point.plugged,
            "current_import": round(point.amps(), 3),
            "voltage": round(point.voltage_v),
            "power_active_import": round(point.power_w()),
            "current_offered": round(point.limit_a),
            "device_temperature": round(point.temperature_cel, 1),
            "session_energy": round(point.session_wh),
            "session_duration": point.session_s,
            "energy_active_import_register": round(point.register_wh),
        }


class EverestPile(Pile):
    """EVerest: three phases."""

    def true(self) -> dict[str, Value]:
        point = self.thing
        amps, volts = round(point.amps(), 3), round(point.voltage_v, 1)
        return {
            "connector_status": point.status,
            "session_energy": round(point.session_wh),
            "session_duration": point.session_s,
            "power_active_import": round(point.power_w(), 1),
            "current_import_l1": amps,
            "current_import_l2": amps,
            "current_import_l3": amps,
            "voltage_l1": volts,
            "voltage_l2": volts,
            "voltage_l3": volts,
            "energy_active_import_register": round(point.register_wh, 1),
            "frequency": 50.0,
            "device_temperature": round(point.temperature_cel, 1),
            "relay_on": point.status == "Charging",
            "residual_current": 0.1,
        }


class BinSensor(Device):
    """Milesight EM400-TLD: distance, temperature, tilt, battery."""

    def measured(self) -> dict[str, float]:
        return {"height_mm": float(self.thing.depth_mm), "offset_mm": 40.0}

    PERIOD_MS = 30 * MINUTE_MS
    FAULTS = (
        silent(),
        FaultKind("lie", 30 * DAY_MS, DAY_MS, "fill_distance", 40),  # a dirty eye: full for ever
        FaultKind("invalid", 20 * DAY_MS, 3 * HOUR_MS, "fill_distance"),  # foam: no echo
        FaultKind("lie", 60 * DAY_MS, 2 * HOUR_MS, "tilt_alarm", True),
    )
    thing: Bin

    def true(self) -> dict[str, Value]:
        self.thing.look()
        return {
            "battery_level": round(self.battery_percent),
            "temperature": round(self.thing.temperature_cel(), 1),
            "fill_distance": self.thing.distance_mm(),
            "tilt_alarm": False,
        }


class TownBinSensor(Device):
    """Dingtek DF702: the same, with its own alarm thresholds."""

    PERIOD_MS = HOUR_MS
    FAULTS = BinSensor.FAULTS
    thing: Bin

    def measured(self) -> dict[str, float]:
        return {"height_mm": float(self.thing.depth_mm), "offset_mm": 40.0}

    def true(self) -> dict[str, Value]:
        self.thing.look()
        temperature = round(self.thing.temperature_cel())
        return {
            "fill_distance": self.thing.distance_mm(),
            "temperature": temperature,
            "full_alarm": self.thing.distance_mm() < 150,
            "fire_alarm": temperature >= 75,
            "tilt_alarm": False,
            "battery_low": self.battery_percent < 15,
            "tilt_angle": 2,
        }


class Compactor(Device):
    """A solar bin that presses its waste when it is nearly full, or when told to."""

    PERIOD_MS = 30 * MINUTE_MS
    PRESS_MS = 12_000
    FULL_PERCENT = 85.0
    FAULTS = (silent(),)
    thing: Bin
    _state = "idle"
    _compactions = 140

    def true(self) -> dict[str, Value]:
        self.thing.look()
        return {
            "fill_level": round(self.thing.fill_percent, 1),
            "compactor_state": self._state,
            "compaction_count": self._compactions,
            "lid_open": self.thing.lid_open,
            "battery_level": round(self.battery_percent),
            "temperature": round(self.thing.temperature_cel(), 1),
            "collection_count": self.thing.collections,
        }

    def _period(self) -> None:
        super()._period()
        if self.thing.fill_percent > self.FULL_PERCENT:
            self._press()

    def _press(self) -> bool:
        self.thing.look()
        if self._state != "idle" or self.thing.lid_open or self.thing.heat_cel > 20:
            return False  # never with the lid open, never on a fire
        self._state = "compacting"
        self.say("change", self.true())
        self.agenda.after(self.PRESS_MS, self.spec.id, self._pressed)
        return True

    def _pressed(self) -> None:
        self.thing.compact()
        self._state = "idle"
        self._compactions += 1
        self.say("change", self.true())

    def obey(self, verb: str, args: Mapping[str, Any]) -> bool:
        return verb == "compact" and self._press()


_AIR_FAULTS = (
    silent(),
    FaultKind("drift", 30 * DAY_MS, 2 * DAY_MS, "co2", 8.0),  # the automatic baseline goes astray
    FaultKind("stuck", 40 * DAY_MS, 8 * HOUR_MS),
)


class AirSensor(Device):
    """Milesight AM319: a room's air in full."""

    PERIOD_MS = 5 * MINUTE_MS
    FAULTS = (*_AIR_FAULTS, FaultKind("invalid", 40 * DAY_MS, HOUR_MS, "co2"))
    thing: Room

    def true(self) -> dict[str, Value]:
        room = self.thing
        room.look()
        crowd = room.people / room.seats
        return {
            "temperature": round(room.temperature_cel, 1),
            "humidity": round(room.humidity_percent * 2) / 2,
            "motion": room.people > 0,
            "light_level": 4 if room.people else round(3 * rhythms.daylight(self.agenda.now_ms)),
            "co2": round(room.co2_ppm),
            "tvoc_index": round(1 + crowd, 2),
            "pressure": 1013.2,
            "hcho": 30 + 10 * round(crowd),
            "pm2_5": 18 + room.people,
            "pm10": 27 + room.people,
        }


class SmallAirSensor(Device):
    """Elsys ERS2 CO2."""

    PERIOD_MS = 10 * MINUTE_MS
    FAULTS = _AIR_FAULTS
    thing: Room

    def true(self) -> dict[str, Value]:
        room = self.thing
        room.look()
        return {
            "temperature": round(room.temperature_cel, 1),
            "humidity": round(room.humidity_percent),
            "illuminance": 320 if room.people else round(150 * rhythms.daylight(self.agenda.now_ms)),
            "motion_count": min(255, room.movements),
            "co2": round(room.co2_ppm),
            "battery_voltage": round(3.0 + self.battery_percent * 0.006, 3),
        }


class EnergyMeter(Device):
    """Tasmota on a Sonoff POW: a circuit's energy."""

    PERIOD_MS = 5 * MINUTE_MS
    FAULTS = (silent(every_days=50, hours=2),)
    thing: Load

    def true(self) -> dict[str, Value]:
        load = self.thing
        load.look()
        volts, watts = round(load.voltage_v), round(load.power_w)
        return {
            "power_active_import": watts,
            "energy_active_import_register": int(load.energy_wh),
            "voltage": volts,
            "current_import": round(watts / volts / 0.97, 3),
            "power_factor": 0.97,
            "power_reactive_import": round(watts * 0.25),
        }


class Plug(Device):
    """A Shelly plug: switches, and meters."""

    PERIOD_MS = MINUTE_MS
    FAULTS = (silent(every_days=50, hours=2),)
    thing: Load

    def true(self) -> dict[str, Value]:
        load = self.thing
        load.look()
        volts, watts = round(load.voltage_v, 1), round(load.power_w, 1)
        return {
            "relay_on": load.on,
            "power_active_import": watts,
            "voltage": volts,
            "current_import": round(watts / volts, 3),
            "energy_active_import_register": round(load.energy_wh, 3),
            "device_temperature": round(28 + watts * 0.01, 1),
        }

    def obey(self, verb: str, args: Mapping[str, Any]) -> bool:
        if verb not in ("switch_on", "switch_off"):
            return False
        self.thing.switch(verb == "switch_on")
        return True


class LeakSensor(Device):
    """A Zigbee leak sensor: at once when wet, a heartbeat an hour."""

    PERIOD_MS = HOUR_MS
    FAULTS = (silent(), FaultKind("lie", 45 * DAY_MS, HOUR_MS, "water_leak", True))  # condensation
    thing: Water

    def true(self) -> dict[str, Value]:
        battery = round(self.battery_percent)
        return {
            "water_leak": self.thing.wet,
            "battery_level": battery,
            "battery_voltage": (2200 + battery * 8) / 1000,
            "temperature": round(rhythms.outdoor_cel(self.agenda.now_ms) * 0.4 + 12, 2),
            "link_quality": 96,
        }


class SmokeSensor(Device):
    """A Zigbee smoke sensor. Its test button looks like a fire."""

    PERIOD_MS = HOUR_MS
    FAULTS = (silent(), FaultKind("lie", 90 * DAY_MS, MINUTE_MS, "smoke_alarm", True))
    thing: Air

    def true(self) -> dict[str, Value]:
        battery = round(self.battery_percent)
        return {
            "smoke_alarm": self.thing.smoke,
            "battery_level": battery,
            "battery_voltage": (2700 + battery * 4) / 1000,
            "link_quality": 81,
        }


class Thermostat(Device):
    """A room's thermostat: its set-point moves the room."""

    PERIOD_MS = 5 * MINUTE_MS
    FAULTS = (silent(), FaultKind("drift", 60 * DAY_MS, DAY_MS, "temperature", 0.1))
    thing: Room

    def true(self) -> dict[str, Value]:
        room = self.thing
        room.look()
        return {
            "temperature": round(room.temperature_cel, 1),
            "setpoint_temperature": round(room.setpoint_cel, 1),
            "valve_position": room.valve_percent(),
            "window_open": room.window_open,
            "battery_level": round(self.battery_percent),
        }

    def obey(self, verb: str, args: Mapping[str, Any]) -> bool:
        wanted = float(args.get("temperature", -1))
        if verb != "set_temperature" or not 5 <= wanted <= 30:
            return False
        self.thing.look()
        self.thing.setpoint_cel = wanted
        self.thing.changed()
        return True


class Valve(Device):
    """A motor valve with a meter and a wet-floor contact."""

    PERIOD_MS = 5 * MINUTE_MS
    FAULTS = (silent(),)
    thing: Water

    def true(self) -> dict[str, Value]:
        water = self.thing
        return {
            "valve_open": water.open,
            "water_flow": round(water.flow_litres_h / 1000, 3),
            "water_volume": round(water.volume_litres / 1000, 3),
            "water_leak": water.wet,
        }

    def obey(self, verb: str, args: Mapping[str, Any]) -> bool:
        if verb not in ("open_valve", "close_valve"):
            return False
        self.thing.turn(verb == "open_valve")
        return True


DEVICES: Mapping[str, type[Device]] = {
    "nwave-nps": PlaceSensor,
    "linli-barrier": Barrier,
    "openevse": OpenEvse,
    "everest": EverestPile,
    "milesight-em400": BinSensor,
    "dingtek-df702": TownBinSensor,
    "linli-compactor": Compactor,
    "milesight-am319": AirSensor,
    "elsys-ers2": SmallAirSensor,
    "tasmota-pow": EnergyMeter,
    "shelly-plug": Plug,
    "zigbee-leak": LeakSensor,
    "zigbee-smoke": SmokeSensor,
    "linli-thermostat": Thermostat,
    "linli-valve": Valve,
}
