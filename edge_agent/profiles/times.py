"""The sample's own time, out of the payload: formats, zones, and whether it is plausible. Pure."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contracts.profile import Time
from edge_agent.profiles.errors import Undecodable
from edge_agent.profiles.expressions import compile_expression
from edge_agent.profiles.paths import compile_path

PLAUSIBLE_FROM_MS = 1_262_304_000_000  # 2010-01-01: before it no device of ours was made; clocks start in 1970 or 2000
PLAUSIBLE_AHEAD_MS = 24 * 3_600_000
TIME_LENGTH_MAX = 64

ReadTime = Callable[[Any, Mapping[str, Any], int], int | None]
"""(where paths start, names for expressions, received_ms) -> the sample's own time in ms UTC; None: it carries none."""


def compile_time(spec: Time, profile: str) -> ReadTime:
    """A function that reads the time; it raises Undecodable (time_invalid, time_implausible). Raises ValueError."""
    if bool(spec.path) is bool(spec.expr):
        raise ValueError("a time has either 'path' or 'expr'")
    find = compile_path(spec.path) if spec.path else None
    calculate = compile_expression(spec.expr) if spec.expr else None
    try:
        zone = UTC if spec.zone == "UTC" else ZoneInfo(spec.zone)
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"unknown zone {spec.zone!r}") from error
    number = spec.format in ("unix_s", "unix_ms")
    factor = 1000 if spec.format == "unix_s" else 1
    parse = _text_parser(spec.format) if not number else None

    def read(root: Any, names: Mapping[str, Any], received_ms: int) -> int | None:
        raw = find(root) if find is not None else None
        if calculate is not None:
            try:
                raw = calculate(names)
            except (KeyError, TypeError, ValueError, ArithmeticError, IndexError):
                return None  # a field that this message does not carry
        if raw is None or raw == "":
            return None
        try:
            if parse is not None:
                moment = parse(raw)
                if moment.tzinfo is None:
                    moment = moment.replace(tzinfo=zone)
                observed_ms = round(moment.timestamp() * 1000)
            else:
                observed_ms = round(float(raw) * factor)
        except (ValueError, TypeError, OverflowError) as error:
            raise Undecodable("time_invalid", f"{raw!r} is not {spec.format}"[:200], profile) from error
        if not PLAUSIBLE_FROM_MS <= observed_ms <= received_ms + PLAUSIBLE_AHEAD_MS:
            raise Undecodable("time_implausible", f"{raw!r}, received at {received_ms}"[:200], profile)
        return observed_ms

    return read


def _text_parser(written: str) -> Callable[[str], datetime]:
    if written == "rfc3339":
        return datetime.fromisoformat
    if "%" not in written:
        raise ValueError(f"unknown time format {written!r}: rfc3339, unix_s, unix_ms or a pattern with %")

    def parse(text: str) -> datetime:
        if len(text) > TIME_LENGTH_MAX:
            raise ValueError(f"longer than {TIME_LENGTH_MAX}")
        return datetime.strptime(text, written)

    return parse
