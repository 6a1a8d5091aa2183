"""From what stands at a path to a sample: map, mask, invalid markers, scale, unit, bounds. Compiled once a metric."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from contracts.profile import MetricSpec
from contracts.reading import Quality, Sample, Value
from contracts.units import Linear, conversion
from contracts.vocabulary import METRICS, TEXT_LENGTH_MAX, Metric, fault_of
from edge_agent.profiles.expressions import compile_expression, expression_names
from edge_agent.profiles.paths import compile_path, keys_of
from edge_agent.profiles.templates import compile_template, template_names

Read = Callable[[Any, dict[str, Any]], Sample | None]
"""(where paths start, names for expressions) -> a sample, or None when the message does not speak of the metric."""

_Convert = Callable[[Any, Any], Value | None]
"""(what stands there, where paths start) -> the value in the metric's unit, or None when it is not understood."""

_NOTHING = object()
LARGE = 1e15
"""Beyond it numbers are no longer exact, and take the careful way."""
_LEADING_NUMBER = re.compile(r"\s*([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)")
_WORDS: Mapping[str, bool] = {"true": True, "false": False, "on": True, "off": False, "yes": True, "no": False}


def compile_metric(name: str, spec: MetricSpec) -> Read:
    """A function that reads one metric. Raises ValueError when the specification is wrong."""
    metric = METRICS.get(name)
    if metric is None:
        raise ValueError(f"{name!r} is not in the vocabulary")
    if spec.valid is not None and (metric.type != "number" or spec.map):
        raise ValueError(f"{name}: 'valid' is a range of numbers")
    read = _compile_plain(metric, spec) or _compile_read(metric, spec)
    if not spec.when:
        return read
    when = compile_expression(spec.when)
    return lambda root, names: read(root, names) if _holds(when, names) else None


def metric_names(spec: MetricSpec) -> set[str]:
    """The names that the metric's expressions and template use."""
    return expression_names(spec.expr) | expression_names(spec.when) | template_names(spec.template)


def _compile_read(metric: Metric, spec: MetricSpec) -> Read:
    name = metric.name
    convert = _compile_convert(metric, spec)
    find = _compile_find(spec)
    origin = compile_path(spec.root) if spec.root else None
    invalid = [(type(marker) is bool, marker) for marker in spec.invalid]
    low, high = _bounds(metric, spec)
    said = {True: Sample(name, True), False: Sample(name, False)}
    plain = metric.type == "number" and not spec.map
    is_checked = bool(spec.map)  # its values are, at load
    good, new = Quality.GOOD, tuple.__new__
    invalid_sample = Sample(name, None, Quality.BAD, "invalid_marker")

    def read(root: Any, names: dict[str, Any]) -> Sample | None:
        if origin is not None:
            root = origin(root)
        raw = find(root, names)
        if raw is None or raw == "":
            return None
        for is_flag, marker in invalid:
            if raw == marker and (type(raw) is bool) is is_flag:
                return invalid_sample
        value = convert(raw, root)
        if value is None:
            return Sample(name, None, Quality.BAD, "not_understood")
        if plain and (type(value) is float or type(value) is int) and low <= value <= high:
            return new(Sample, (name, value, good, ""))
        if type(value) is bool and metric.type == "boolean":
            return said[value]
        if is_checked:
            return new(Sample, (name, value, good, ""))
        if fault := fault_of(metric, value):
            return Sample(name, None, Quality.BAD, fault)
        if not isinstance(value, str) and not low <= value <= high:
            return Sample(name, None, Quality.BAD, "out_of_range")
        return new(Sample, (name, value, good, ""))

    return read


def _compile_plain(metric: Metric, spec: MetricSpec) -> Read | None:
    """The usual cases without detours: a number, flag or word at a path, once scaled or mapped. None where it is not that.

    What is unusual in the message itself is left to the slow way too.
    """
    if not spec.path or any(
        (spec.expr, spec.contains, spec.unit_path, spec.exponent_path, spec.root, spec.template)
    ) or not (spec.mask is None and spec.value is None):  # fmt: skip
        return None
    if spec.map:
        return None if spec.invalid else _compile_plain_map(metric, spec)
    if metric.type == "boolean":
        return None if spec.invalid else _compile_plain_flag(metric, spec)
    return _compile_plain_number(metric, spec) if metric.type == "number" else _compile_plain_text(metric, spec)


def _compile_plain_map(metric: Metric, spec: MetricSpec) -> Read:
    find = compile_path(spec.path)
    slow = _compile_read(metric, spec)
    said = {word: Sample(metric.name, value) for word, value in spec.map.items() if value is not None}

    def read(root: Any, names: dict[str, Any]) -> Sample | None:
        raw = find(root)
        if raw is None:
            return None
        sample = said.get(raw if type(raw) is str else str(raw) if type(raw) is int else "")
        return sample if sample is not None and raw != "" else slow(root, names)

    return read


def _compile_plain_flag(metric: Metric, spec: MetricSpec) -> Read:
    find = compile_path(spec.path)
    slow = _compile_read(metric, spec)
    yes, no = Sample(metric.name, True), Sample(metric.name, False)

    def read(root: Any, names: dict[str, Any]) -> Sample | None:
        raw = find(root)
        return None if raw is None else yes if raw is True else no if raw is False else slow(root, names)

    return read


def _compile_plain_text(metric: Metric, spec: MetricSpec) -> Read | None:
    if spec.invalid:
        return None
    find = compile_path(spec.path)
    slow = _compile_read(metric, spec)
    name, good, new = metric.name, Quality.GOOD, tuple.__new__
    words = metric.members if metric.type == "enum" else None

    def read(root: Any, names: dict[str, Any]) -> Sample | None:
        raw = find(root)
        if raw is None:
            return None
        if type(raw) is str and (raw in words if words is not None else 0 < len(raw) <= TEXT_LENGTH_MAX):
            return new(Sample, (name, raw, good, ""))
        return slow(root, names)

    return read


def _compile_plain_number(metric: Metric, spec: MetricSpec) -> Read | None:
    steps = [step for step in (Linear(spec.scale, spec.offset), _unit(metric, spec)) if step != Linear(1.0)]
    if len(steps) > 1:
        return None
    find = compile_path(spec.path)
    slow = _compile_read(metric, spec)
    *outer, key = keys if 0 < len(keys := keys_of(spec.path)) <= 2 else (None,)
    holder = outer[0] if outer else None
    factor, offset = steps[0] if steps else (1.0, 0.0)
    divisor = _divisor(factor)
    multiplier = None if factor == 1 or divisor else int(factor) if factor == int(factor) else factor
    low, high = _bounds(metric, spec)
    invalid = frozenset(marker for marker in spec.invalid if type(marker) in (int, float))
    may_be_text = not any(type(marker) is str for marker in spec.invalid)
    name, good, new = metric.name, Quality.GOOD, tuple.__new__

    def read_as_it_is(root: Any, names: dict[str, Any]) -> Sample | None:
        at = root if holder is None else root.get(holder) if type(root) is dict else None
        raw = at.get(key) if type(at) is dict else None
        if (type(raw) is float or type(raw) is int) and low <= raw <= high:
            return new(Sample, (name, raw, good, ""))
        return None if raw is None else slow(root, names)

    if key is not None and not steps and not invalid:
        return read_as_it_is

    def read(root: Any, names: dict[str, Any]) -> Sample | None:
        # as the path and ``_compile_linear`` do, without further calls: this is where most of a decode's time goes
        if key is None:
            raw = find(root)
        else:
            at = root if holder is None else root.get(holder) if type(root) is dict else None
            raw = at.get(key) if type(at) is dict else None
        if raw is None:
            return None
        if type(raw) is str and may_be_text:
            raw = _number(raw)
        if (type(raw) is int or type(raw) is float) and raw not in invalid and -LARGE < raw < LARGE:
            value = raw / divisor if divisor else raw if multiplier is None else raw * multiplier
            if offset:
                value += offset
            if low <= value <= high:
                return new(Sample, (name, value, good, ""))
        return slow(root, names)

    return read


def _holds(expression: Callable[[Mapping[str, Any]], Any], names: Mapping[str, Any]) -> bool:
    try:
        return bool(expression(names))
    except (KeyError, TypeError, ValueError, ArithmeticError, IndexError):
        return False


def _compile_find(spec: MetricSpec) -> Callable[[Any, dict[str, Any]], Any]:
    if spec.value is not None:
        constant = spec.value
        return lambda root, names: constant
    if spec.template:
        fill = compile_template(spec.template)
        return lambda root, names: fill(names)
    path = compile_path(spec.path) if spec.path else None
    if not spec.expr:
        if path is None:
            raise ValueError("one of path, expr, template and value is needed")
        found_path = path
        return lambda root, names: found_path(root)
    expression = compile_expression(spec.expr)

    def find(root: Any, names: dict[str, Any]) -> Any:
        try:
            return expression(names)
        except (KeyError, TypeError, ValueError, ArithmeticError, IndexError):
            return None  # KeyError: a field that this message does not carry

    if path is None:
        return find
    at_x = path

    def find_x(root: Any, names: dict[str, Any]) -> Any:
        found = at_x(root)
        if found is None or found == "":
            return None
        before = names.get("x", _NOTHING)
        names["x"] = found
        try:
            return find(root, names)
        finally:
            if before is _NOTHING:
                del names["x"]
            else:
                names["x"] = before

    return find_x


def _compile_convert(metric: Metric, spec: MetricSpec) -> _Convert:
    if spec.map:
        table = dict(spec.map)
        for value in (*table.values(), *([spec.default] if spec.default is not None else [])):
            if value is not None and fault_of(metric, value):
                raise ValueError(f"{value!r} is not a value of {metric.name}")

        def look_up(raw: Any, root: Any) -> Value | None:
            word = raw if type(raw) is str else _key(raw)
            return None if word is None else table.get(word, spec.default)

        return look_up
    if spec.mask is not None:
        mask = spec.mask
        return lambda raw, root: bool(raw & mask) if type(raw) is int else None
    if spec.contains:
        word = spec.contains
        return lambda raw, root: word in (raw if isinstance(raw, list) else re.split(r"[\s,;]+", _key(raw) or ""))
    if metric.type == "number":
        return _compile_number(metric, spec)
    if metric.type == "boolean":
        return lambda raw, root: _boolean(raw)
    return lambda raw, root: raw if isinstance(raw, str) else _key(raw)


def _key(raw: Any) -> str | None:
    """How a map or a text sees what stands there; None for lists and objects, which no map is meant for."""
    if isinstance(raw, list | dict | tuple):
        return None
    if raw is True:
        return "true"
    if raw is False:
        return "false"
    return str(raw)


def _boolean(raw: Any) -> bool | None:
    if type(raw) is bool:
        return raw
    if raw in (0, 1):
        return bool(raw)
    return _WORDS.get(raw.lower()) if isinstance(raw, str) else None


def _bounds(metric: Metric, spec: MetricSpec) -> tuple[float, float]:
    low, high = spec.valid or (metric.low, metric.high)
    return max(low, metric.low), min(high, metric.high)


def _unit(metric: Metric, spec: MetricSpec) -> Linear:
    return conversion(spec.unit or metric.unit, metric.unit)


def _compile_number(metric: Metric, spec: MetricSpec) -> _Convert:
    fixed = _unit(metric, spec)
    table = {word: conversion(unit, metric.unit) for word, unit in spec.units.items()}
    default = fixed if spec.unit else None
    unit_path = compile_path(spec.unit_path) if spec.unit_path else None
    exponent_path = compile_path(spec.exponent_path) if spec.exponent_path else None

    scaled = _compile_linear(spec.scale, spec.offset)
    in_unit = _compile_linear(fixed.factor, fixed.offset)

    def convert(raw: Any, root: Any) -> Value | None:
        number = raw if type(raw) is int or type(raw) is float else _number(raw)
        if number is None:
            return None
        if scaled is not None:
            number = scaled(number)
        if exponent_path is not None and type(exponent := exponent_path(root)) is int and abs(exponent) <= 12:
            number = number * 10**exponent if exponent >= 0 else number / 10**-exponent
        if unit_path is None:
            return in_unit(number) if in_unit is not None else number
        word = unit_path(root)
        unit = default if word is None else table.get(word) if type(word) is str else None
        return None if unit is None else _linear(number, unit.factor, unit.offset)

    def convert_safely(raw: Any, root: Any) -> Value | None:
        try:
            return convert(raw, root)
        except OverflowError:
            return None

    return convert_safely


def _number(raw: Any) -> int | float | None:
    if type(raw) is int or type(raw) is float:
        return raw
    if isinstance(raw, str) and (match := _LEADING_NUMBER.match(raw)):
        text = match.group(1)
        return float(text) if any(mark in text for mark in ".eE") else int(text[:32])
    return None


def _divisor(factor: float) -> int:
    """n where the factor is 1/n; else 0."""
    if 0 < factor < 1 and (inverse := round(1 / factor)) and abs(inverse * factor - 1) < 1e-12:
        return inverse
    return 0


def _compile_linear(factor: float, offset: float) -> Callable[[int | float], int | float] | None:
    """``_linear`` with what is known of it at load; None where it changes nothing."""
    if factor == 1 and not offset:
        return None
    divisor = _divisor(factor)
    multiplier = int(factor) if factor == int(factor) else factor
    if factor == 1:
        return lambda number: number + offset
    if divisor:
        return (lambda number: number / divisor + offset) if offset else (lambda number: number / divisor)
    return (lambda number: number * multiplier + offset) if offset else (lambda number: number * multiplier)


def _linear(number: int | float, factor: float, offset: float) -> int | float:
    """number * factor + offset; by a power of ten exactly, so that 2962 mV is 2.962 V and not 2.9620000000000002 V."""
    if factor != 1:
        if divisor := _divisor(factor):
            number = number / divisor
        else:
            number = number * (int(factor) if factor == int(factor) else factor)
    return number + offset if offset else number
