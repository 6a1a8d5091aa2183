"""LoRaWAN devices' bytes: Nwave NPS, Milesight EM400-TLD and AM319, Elsys ERS2, Dingtek DF702.

The layouts are the makers'; ``simulators/vendors`` has its tests from real messages of each.
"""

import struct

from contracts.reading import Value
from simulators.vendors.message import Message, Says, Stamp
from simulators.vendors.network_servers import chirpstack, things_stack
from simulators.world.plan import DeviceSpec

NO_ECHO_MM = 65_535  # the marker for "no valid distance"
_RESET_CAUSES = ("rejoin", "watchdog", "power_on", "user_request", "", "", "brownout")


def _number(value: Value | None, otherwise: float = 0) -> float:
    return otherwise if value is None or isinstance(value, str) else value


def _steps(value: Value | None, step: float) -> int:
    return round(_number(value) / step)


def nwave_minutes(minutes: int | None) -> int:
    """Seven bits for a duration in minutes; None and what is too long are 127."""
    if minutes is None or minutes >= 660:
        return 127
    if minutes < 90:
        return minutes
    return 90 + (minutes - 90) // 5 if minutes < 240 else 120 + (minutes - 240) // 60


def nwave_frame(says: Says) -> tuple[int, bytes]:
    """Port and bytes: 1 = status, 2 = heartbeat, 3 = start-up."""
    occupied = says.get("spot_status") == "occupied"
    if "firmware_version" in says:
        major, minor, patch = (int(part) for part in str(says["firmware_version"]).split("."))
        cause = str(says.get("reset_cause", ""))
        number = _RESET_CAUSES.index(cause) if cause in _RESET_CAUSES else 7
        return 3, bytes((major, minor, patch, number, occupied))
    if "temperature" in says:
        battery = _steps(_number(says.get("battery_voltage")) * 1000 - 2500, 4)
        temperature = _steps(_number(says["temperature"]) - 10, 0.5)
        return 2, struct.pack(">BBb", occupied, battery, temperature)
    minutes = says.get("previous_state_duration")
    return 1, bytes((nwave_minutes(None if minutes is None else int(_number(minutes))) << 1 | occupied,))


def em400_frame(says: Says) -> tuple[int, bytes]:
    """Port 85, channel-type records; an alarm record where an alarm is said."""
    out = b""
    if "battery_level" in says:
        out += struct.pack("<BBB", 0x01, 0x75, _steps(says["battery_level"], 1))
    if "temperature" in says:
        temperature = _steps(says["temperature"], 0.1)
        if "temperature_alarm" in says:
            out += struct.pack("<BBhB", 0x83, 0x67, temperature, bool(says["temperature_alarm"]))
        else:
            out += struct.pack("<BBh", 0x03, 0x67, temperature)
    if "fill_distance" in says:
        distance = int(_number(says["fill_distance"], NO_ECHO_MM))
        if "full_alarm" in says:
            out += struct.pack("<BBHB", 0x84, 0x82, distance, bool(says["full_alarm"]))
        else:
            out += struct.pack("<BBH", 0x04, 0x82, distance)
    if "tilt_alarm" in says:
        out += struct.pack("<BBB", 0x05, 0x00, bool(says["tilt_alarm"]))
    return 85, out


_AM319: tuple[tuple[str, bytes, str, float], ...] = (  # metric, channel and type, struct, vocabulary unit a step
    ("temperature", b"\x03\x67", "<h", 0.1),
    ("humidity", b"\x04\x68", "<B", 0.5),
    ("motion", b"\x05\x00", "<B", 1),
    ("light_level", b"\x06\xcb", "<B", 1),
    ("co2", b"\x07\x7d", "<H", 1),
    ("tvoc_index", b"\x08\x7d", "<H", 0.01),
    ("tvoc_mass", b"\x08\xe6", "<H", 1),
    ("pressure", b"\x09\x73", "<H", 0.1),
    ("hcho", b"\x0a\x7d", "<H", 10),  # 0.01 mg/m3
    ("pm2_5", b"\x0b\x7d", "<H", 1),
    ("pm10", b"\x0c\x7d", "<H", 1),
)


def am319_frame(says: Says) -> tuple[int, bytes]:
    """Port 85, channel-type records, little endian; 65535 marks an invalid CO2 value."""
    out = b""
    for metric, key, layout, step in _AM319:
        if metric in says:
            value = says[metric]
            out += key + struct.pack(layout, 65_535 if value is None else _steps(value, step))
    return 85, out


_ERS2: tuple[tuple[str, int, str, float], ...] = (
    ("temperature", 1, ">h", 0.1),
    ("humidity", 2, ">B", 1),
    ("illuminance", 4, ">H", 1),
    ("motion_count", 5, ">B", 1),
    ("co2", 6, ">H", 1),
    ("battery_voltage", 7, ">H", 0.001),
)


def ers2_frame(says: Says) -> tuple[int, bytes]:
    """Port 85, type-value records, big endian."""
    out = b""
    for metric, key, layout, step in _ERS2:
        if says.get(metric) is not None:
            out += bytes((key,)) + struct.pack(layout, _steps(says[metric], step))
    return 85, out


def df702_frame(says: Says) -> tuple[int, bytes]:
    """Port 3, the frame of 17 bytes."""
    angle = int(_number(says.get("tilt_angle")))
    data = struct.pack(
        ">5sHBbBBBB4s",
        b"\x80\x00\x01\x01\x11",
        int(_number(says.get("fill_distance"), NO_ECHO_MM)),
        0,
        int(_number(says.get("temperature"))),
        angle < 0,
        abs(angle),
        bool(says.get("full_alarm")) << 4 | bool(says.get("fire_alarm")),
        bool(says.get("tilt_alarm")) << 4 | bool(says.get("battery_low")),
        b"\x00\x00\x00\x81",
    )
    return 3, data


def nwave(spec: DeviceSpec, says: Says, stamp: Stamp) -> list[Message]:
    """Nwave NPS over ChirpStack."""
    return [chirpstack(spec, *nwave_frame(says), stamp)]


def em400(spec: DeviceSpec, says: Says, stamp: Stamp) -> list[Message]:
    """Milesight EM400-TLD over ChirpStack."""
    return [chirpstack(spec, *em400_frame(says), stamp)]


def am319(spec: DeviceSpec, says: Says, stamp: Stamp) -> list[Message]:
    """Milesight AM319 over ChirpStack."""
    return [chirpstack(spec, *am319_frame(says), stamp)]


def ers2(spec: DeviceSpec, says: Says, stamp: Stamp) -> list[Message]:
    """Elsys ERS2 CO2 over ChirpStack."""
    return [chirpstack(spec, *ers2_frame(says), stamp)]


def df702(spec: DeviceSpec, says: Says, stamp: Stamp) -> list[Message]:
    """Dingtek DF702 over The Things Stack, with the formatter's strings beside the bytes."""
    port, data = df702_frame(says)
    decoded: dict[str, object] = {
        "level": f"{int(_number(says.get('fill_distance'), NO_ECHO_MM))} mm",
        "full": bool(says.get("full_alarm")),
        "fire": bool(says.get("fire_alarm")),
        "tilt": bool(says.get("tilt_alarm")),
        "battery": bool(says.get("battery_low")),
        "angle": f"{int(_number(says.get('tilt_angle')))} °",
        "temperature": f"{int(_number(says.get('temperature')))} ℃",
    }
    return [things_stack(spec, port, data, decoded, stamp)]
