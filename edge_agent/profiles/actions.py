"""Commands, downward: from a verb and its arguments to the message that this model of device understands. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from contracts.profile import CommandSpec
from contracts.reading import Value
from contracts.verbs import VERBS, arguments_fault
from contracts.vocabulary import METRICS, fault_of
from edge_agent.profiles.errors import ActionRefused


class Confirm(NamedTuple):
    """The device's own word: a reading that follows the act, in which metric has this value (None: any)."""

    metric: str
    equals: Value | None
    within_ms: int


class Action(NamedTuple):
    """One MQTT message to a device, and how the device will show that it obeyed."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    confirm: Confirm | None


def make_action(spec: CommandSpec, device: str, verb: str, args: Mapping[str, Any]) -> Action:
    """What to publish. Raises ActionRefused (verb_unknown, arguments_invalid, device_invalid)."""
    known = VERBS.get(verb)
    if known is None:
        raise ActionRefused("verb_unknown", verb)
    if fault := arguments_fault(known, args):
        raise ActionRefused("arguments_invalid", fault)
    if not device or any(mark in device for mark in "#+\0"):
        raise ActionRefused("device_invalid", device)
    body = _fill(spec.body, args)
    payload = body.encode() if isinstance(body, str) else msgspec.json.encode(body)
    confirm = None
    if spec.confirm is not None:
        confirm = Confirm(spec.confirm.metric, _fill(spec.confirm.equals, args), spec.confirm.within_ms)
    return Action(spec.topic.replace("{device}", device), payload, spec.qos, spec.retain, confirm)


def check_command(verb: str, spec: CommandSpec) -> str:
    """Why this command may not stand in a profile; "" when it may."""
    known = VERBS.get(verb)
    if known is None:
        return f"{verb!r} is not one of the verbs {', '.join(VERBS)}"
    if "{device}" not in spec.topic:
        return "the topic must hold {device}"
    if odd := [key for key in _keys(spec.body) if not isinstance(key, str)]:
        return f"key {odd[0]!r} in the body is not text: quote it (YAML reads on, off, yes and no as true and false)"
    wanted = set(_arguments(spec.body))
    if wanted != set(known.arguments):
        return f"the body must use exactly the arguments {sorted(known.arguments)}, not {sorted(wanted)}"
    if spec.confirm is not None:
        metric = METRICS.get(spec.confirm.metric)
        if metric is None:
            return f"{spec.confirm.metric!r} is not in the vocabulary"
        equals = spec.confirm.equals
        if equals is not None and not list(_arguments(equals)) and fault_of(metric, equals):
            return f"{equals!r} is not a value of {metric.name}"
    return ""


def _fill(template: Any, args: Mapping[str, Any]) -> Any:
    if isinstance(template, str) and template.startswith("$"):
        return args[template[1:]]
    if isinstance(template, dict):
        return {key: _fill(value, args) for key, value in template.items()}
    if isinstance(template, list):
        return [_fill(value, args) for value in template]
    return template


def _keys(template: Any) -> list[Any]:
    if isinstance(template, dict):
        return [*template, *(key for value in template.values() for key in _keys(value))]
    return [key for value in template for key in _keys(value)] if isinstance(template, list) else []


def _arguments(template: Any) -> list[str]:
    if isinstance(template, str):
        return [template[1:]] if template.startswith("$") else []
    children = template.values() if isinstance(template, dict) else template if isinstance(template, list) else []
    return [name for child in children for name in _arguments(child)]
