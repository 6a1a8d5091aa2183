"""What a call says, as the gateway uses it: the energy register in it, and the message that profiles may read. Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from edge_agent.ocpp.moments import Moment, moment

REGISTER = "Energy.Active.Import.Register"
BEGIN = "Transaction.Begin"
SECRETS = frozenset({"idTag", "idToken", "groupIdToken", "parentIdTag"})
_UNIT_WH = {"Wh": 1.0, "kWh": 1000.0}


class Register(NamedTuple):
    """The register's reading and when it was read."""

    wh: float
    moment: Moment


def latest_register(meter_values: object, now_ms: int) -> Register | None:
    """The latest reading of the energy register in meterValue, of either version.

    One message may hold a whole session's series again, so all but the latest is left to the profiles.
    """
    found = [
        Register(wh, moment(value.get("timestamp"), now_ms))
        for value in _dicts(meter_values)
        if (wh := _register_wh(list(_dicts(value.get("sampledValue"))))) is not None
    ]
    return max(found, key=lambda register: register.moment.said_ms or 0, default=None)


def _register_wh(samples: list[Mapping[str, Any]]) -> float | None:
    ours = [
        sample
        for sample in samples
        if sample.get("measurand", REGISTER) == REGISTER
        and not sample.get("phase")
        and sample.get("location", "Outlet") == "Outlet"
        and sample.get("format", "Raw") == "Raw"
    ]
    later = [sample for sample in ours if sample.get("context") != BEGIN]  # both may stand in one meterValue
    for sample in later or ours:
        unit = sample.get("unitOfMeasure", {})
        factor = _UNIT_WH.get(sample.get("unit") or unit.get("unit", "Wh"))
        try:
            wh = float(sample["value"]) * 10.0 ** int(unit.get("multiplier", 0))
        except (ValueError, KeyError, OverflowError):
            continue
        if factor is not None and 0 <= wh * factor < 1e12:
            return wh * factor
    return None


def _dicts(found: object) -> Iterator[Mapping[str, Any]]:
    return (one for one in (found if isinstance(found, list) else ()) if isinstance(one, dict))


def readable(payload: Mapping[str, Any], now_ms: int, known: Mapping[str, Any]) -> dict[str, Any]:
    """The call's payload for the profiles: without secrets and impossible times, with what the gateway knows beside it."""

    def wanted(key: str, value: object) -> bool:
        return key not in SECRETS and not (key == "timestamp" and moment(value, now_ms).unsure)

    return {**_only(payload, wanted), **known}


def without_secrets(document: Any) -> Any:
    """The same without anybody's token."""
    return _only(document, lambda key, value: key not in SECRETS)


def _only(found: Any, wanted: Callable[[str, object], bool]) -> Any:
    if isinstance(found, dict):
        return {key: _only(value, wanted) for key, value in found.items() if wanted(key, value)}
    return [_only(value, wanted) for value in found] if isinstance(found, list) else found
