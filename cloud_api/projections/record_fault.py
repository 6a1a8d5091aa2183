"""Which records no database keeps. Gateways are not trusted: what one writes into a frame may be anything that decodes."""

from math import isfinite
from typing import Any

import msgspec

from contracts.messages import Refused

NUMBER_MIN, NUMBER_MAX = -(2**63), 2**63 - 1


def record_fault(record: msgspec.Struct) -> str:
    """Why no database can keep this record: "" when it can, else a snake_case word."""
    quotes = isinstance(record, Refused)  # what could not be read: its text may hold anything, and is cleaned when kept
    waiting: list[Any] = [record]
    while waiting:
        value = waiting.pop()
        if isinstance(value, msgspec.Struct):
            waiting.extend(msgspec.structs.astuple(value))
        elif isinstance(value, dict):
            waiting.extend((*value, *value.values()))
        elif isinstance(value, (list, tuple)):
            waiting.extend(value)
        elif isinstance(value, str) and "\0" in value and not quotes:
            return "text_has_nul"
        elif isinstance(value, int) and not NUMBER_MIN <= value <= NUMBER_MAX:
            return "number_too_large"
        elif isinstance(value, float) and not isfinite(value):
            return "number_not_finite"
    return ""
