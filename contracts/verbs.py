"""The verbs of commands: absolute ("set on", never "toggle"), their arguments, and the effect that confirms them.

A profile says how a device is told; the verb says what it means. ``confirmed`` is decided here, from telemetry.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from contracts.reading import Value


class Argument(NamedTuple):
    """A number that a verb takes. unit is UCUM; low and high are inclusive."""

    unit: str
    low: float
    high: float
    en: str
    zh: str


class Effect(NamedTuple):
    """What telemetry shows when the verb took effect: a later sample of ``metric`` for which ``holds`` is true.

    holds(value, args, before): before is the metric's last value when the command was accepted, or None
    """

    metric: str
    holds: Callable[[Value, Mapping[str, Any], Value | None], bool]


class Verb(NamedTuple):
    """One thing a device can be told.

    ttl_ms          default time to live; a physical act must not come late
    safety_relevant its profile's command acts on people's way or safety (barrier, valve): it is selected first
    second_person   another person allows it first
    """

    name: str
    kind: str
    arguments: Mapping[str, Argument]
    effect: Effect
    ttl_ms: int
    safety_relevant: bool
    en: str
    zh: str
    second_person: bool = False


def _close_to(value: Value, wanted: object) -> bool:
    return not isinstance(value, str) and abs(float(value) - float(wanted)) < 0.051  # type: ignore[arg-type]


def _is(*words: Value) -> Callable[[Value, Mapping[str, Any], Value | None], bool]:
    return lambda value, args, before: value in words


def _is_not(*words: Value) -> Callable[[Value, Mapping[str, Any], Value | None], bool]:
    return lambda value, args, before: value not in words


_CHARGING = ("Charging", "SuspendedEV", "SuspendedEVSE")
_NONE: Mapping[str, Argument] = {}

# fmt: off
VERBS: Mapping[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb("stop_charging", "charging", _NONE, Effect("connector_status", _is_not(*_CHARGING)),
             60_000, False, "Stop charging", "停止充电"),
        Verb("start_charging", "charging", _NONE, Effect("connector_status", _is(*_CHARGING)),
             60_000, False, "Start charging", "开始充电"),
        Verb("set_current_limit", "charging",
             {"current": Argument("A", 6, 32, "Current", "电流")},
             Effect("current_offered", lambda value, args, before: _close_to(value, args["current"])),
             60_000, False, "Limit current", "限制电流"),
        Verb("unlock_connector", "charging", _NONE, Effect("connector_status", _is_not(*_CHARGING)),
             30_000, True, "Unlock plug", "解锁充电枪", second_person=True),
        Verb("make_available", "charging", _NONE, Effect("connector_status", _is_not("Unavailable")),
             60_000, False, "Put into service", "投入使用"),
        Verb("make_unavailable", "charging", _NONE, Effect("connector_status", _is("Unavailable")),
             60_000, False, "Take out of service", "停用"),
        Verb("reserve", "charging", {"duration": Argument("min", 1, 720, "For", "时长")},
             Effect("connector_status", _is("Reserved")), 60_000, False, "Reserve", "预约"),
        Verb("cancel_reservation", "charging", _NONE, Effect("connector_status", _is_not("Reserved")),
             60_000, False, "Cancel reservation", "取消预约"),
        Verb("reset", "charging", _NONE, Effect("connector_status", lambda value, args, before: True),
             60_000, False, "Restart charge point", "重启充电桩"),
        Verb("reset_hard", "charging", _NONE, Effect("connector_status", lambda value, args, before: True),
             60_000, False, "Restart charge point at once", "立即重启充电桩"),
        Verb("update_firmware", "charging", _NONE, Effect("connector_status", lambda value, args, before: True),
             60_000, False, "Update firmware", "更新固件"),
        Verb("send_diagnostics", "charging", _NONE, Effect("connector_status", lambda value, args, before: True),
             60_000, False, "Upload diagnostics", "上传诊断信息"),
        Verb("open_barrier", "parking", _NONE, Effect("barrier_state", _is("open")),
             15_000, True, "Open barrier", "开启道闸"),
        Verb("close_barrier", "parking", _NONE, Effect("barrier_state", _is("closed")),
             15_000, True, "Close barrier", "关闭道闸"),
        Verb("compact", "waste", _NONE,
             Effect("compaction_count",
                    lambda value, args, before: isinstance(value, int | float)
                    and isinstance(before, int | float) and value > before),
             120_000, False, "Compact now", "立即压缩"),
        Verb("set_temperature", "building",
             {"temperature": Argument("Cel", 5, 30, "Temperature", "温度")},
             Effect("setpoint_temperature", lambda value, args, before: _close_to(value, args["temperature"])),
             600_000, False, "Set temperature", "设定温度"),
        Verb("open_valve", "building", _NONE, Effect("valve_open", _is(True)),
             60_000, True, "Open valve", "打开阀门"),
        Verb("close_valve", "building", _NONE, Effect("valve_open", _is(False)),
             60_000, True, "Close valve", "关闭阀门"),
        Verb("switch_on", "building", _NONE, Effect("relay_on", _is(True)),
             60_000, False, "Switch on", "接通"),
        Verb("switch_off", "building", _NONE, Effect("relay_on", _is(False)),
             60_000, False, "Switch off", "断开"),
    )
}
# fmt: on


def arguments_fault(verb: Verb, args: Mapping[str, Any]) -> str:
    """Why these arguments may not go with the verb, as a sentence; "" when they may."""
    for name in args:
        if name not in verb.arguments:
            return f"{verb.name} takes no argument {name!r}"
    for name, argument in verb.arguments.items():
        value = args.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"{verb.name} needs the number {name!r} in {argument.unit}"
        if not argument.low <= value <= argument.high:
            return f"{name} must be {argument.low:g}..{argument.high:g} {argument.unit}, not {value:g}"
    return ""
