"""From what stands at a path to a sample: map, mask, invalid markers, scale, unit, bounds. Compiled once a metric."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from contracts.profile import MetricSpec
from contracts.reading import Quality, Sample, Value
from contracts.units import Linear, conversion
from contracts.vocabulary import METRICS, Metric, fault_of
from edge_agent.profiles.expressions import compile_expression
from edge_agent.profiles.paths import compile_path
from edge_agent.profiles.templates import compile_template

Read = Callable[[Any, Mapping[str, Any]], Sample | None]
"""(where paths start, names for expressions) -> a sample, or None when the message does not speak of the metric."""

_LEADING_NUMBER = re.compile(r"\s*([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)")
_WORDS: Mapping[str, bool] = {"true": True, "false": False, "on": True, "off": False, "yes": True, "no": False}


def compile_metric(name: str, spec: MetricSpec) -> Read:
    """A function that reads one metric. Raises ValueError when the specification is wrong."""
    metric = METRICS.get(name)
    if metric is None:
        raise ValueError(f"{name!r} is not in the vocabulary")
    convert = _compile_convert(metric, spec)
    find = _compile_find(spec)
    when = compile_expression(spec.when) if spec.when else None
    invalid = [(type(marker) is bool, marker) for marker in spec.invalid]

    def read(root: Any, names: Mapping[str, Any]) -> Sample | None:
        if when is not None and not _holds(when, names):
            return None
        raw = find(root, names)
        if raw is None or raw == "":
            return None
        for is_flag, marker in invalid:
            if raw == marker and (type(raw) is bool) is is_flag:
                return Sample(name, None, Quality.BAD, "invalid_marker")
        value = convert(raw, root, names)
        if value is None:
            return Sample(name, None, Quality.BAD, "not_understood")
        if spec.valid is not None and not spec.valid[0] <= value <= spec.valid[1]:  # type: ignore[operator]
            return Sample(name, None, Quality.BAD, "out_of_range")
        if fault := fault_of(metric, value):
            return Sample(name, None, Quality.BAD, fault)
        return Sample(name, value)

    return read


def _holds(expression: Callable[[Mapping[str, Any]], Any], names: Mapping[str, Any]) -> bool:
    try:
        return bool(expression(names))
    except (KeyError, TypeError, ValueError, ArithmeticError, IndexError):
        return False


def _compile_find(spec: MetricSpec) -> Callable[[Any, Mapping[str, Any]], Any]:
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

    def find(root: Any, names: Mapping[str, Any]) -> Any:
        if path is not None:
            found = path(root)
            if found is None or found == "":
                return None
            names = {**names, "x": found}
        try:
            return expression(names)
        except KeyError:
            return None  # a field that this message does not carry
        except (TypeError, ValueError, ArithmeticError, IndexError):
            return None

    return find


def _compile_convert(metric: Metric, spec: MetricSpec) -> Callable[[Any, Any, Mapping[str, Any]], Value | None]:
    if spec.map:
        table = dict(spec.map)
        for value in (*table.values(), *([spec.default] if spec.default is not None else [])):
            if value is not None and fault_of(metric, value):
                raise ValueError(f"{value!r} is not a value of {metric.name}")
        return lambda raw, root, names: table.get(_key(raw), spec.default)
    if spec.mask is not None:
        mask = spec.mask
        return lambda raw, root, names: bool(raw & mask) if type(raw) is int else None
    if spec.contains:
        word = spec.contains
        return lambda raw, root, names: word in (raw if isinstance(raw, list) else re.split(r"[\s,;]+", str(raw)))
    if metric.type == "number":
        return _compile_number(metric, spec)
    if metric.type == "boolean":
        return lambda raw, root, names: _boolean(raw)
    return lambda raw, root, names: raw if isinstance(raw, str) else _key(raw)


def _key(raw: Any) -> str:
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


def _compile_number(metric: Metric, spec: MetricSpec) -> Callable[[Any, Any, Mapping[str, Any]], Value | None]:
    fixed = conversion(spec.unit or metric.unit, metric.unit) if not spec.unit_path else Linear(1.0)
    table = {word: conversion(unit, metric.unit) for word, unit in spec.units.items()}
    default = conversion(spec.unit, metric.unit) if spec.unit else None
    unit_path = compile_path(spec.unit_path) if spec.unit_path else None
    exponent_path = compile_path(spec.exponent_path) if spec.exponent_path else None

    def convert(raw: Any, root: Any, names: Mapping[str, Any]) -> Value | None:
        number = _number(raw)
        if number is None:
            return None
        number = _linear(number, spec.scale, spec.offset)
        if exponent_path is not None and type(exponent := exponent_path(root)) is int and abs(exponent) <= 12:
            number = number * 10**exponent if exponent >= 0 else number / 10**-exponent
        unit = fixed
        if unit_path is not None:
            word = unit_path(root)
            known = table.get(word) if word is not None else default
            if known is None:
                return None
            unit = known
        return _linear(number, unit.factor, unit.offset)

    return convert


def _number(raw: Any) -> int | float | None:
    if type(raw) is int or type(raw) is float:
        return raw
    if isinstance(raw, str) and (match := _LEADING_NUMBER.match(raw)):
        text = match.group(1)
        return float(text) if any(mark in text for mark in ".eE") else int(text[:32])
    return None


def _linear(number: int | float, factor: float, offset: float) -> int | float:
    """number * factor + offset; by a power of ten exactly, so that 2962 mV is 2.962 V and not 2.9620000000000002 V."""
    if factor != 1:
        if factor < 1 and (inverse := round(1 / factor)) and abs(inverse * factor - 1) < 1e-12:
            number = number / inverse
        else:
            number = number * (int(factor) if factor == int(factor) else factor)
    if offset:
        number = number + offset
    return number
