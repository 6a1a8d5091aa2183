"""UCUM units: how to turn what vendors send into what Linli keeps. Resolved once, when a profile is compiled."""

from typing import NamedTuple


class Linear(NamedTuple):
    """canonical = value * factor + offset"""

    factor: float
    offset: float = 0.0


# canonical unit -> unit -> (factor, offset). Only exact or defined factors.
_FAMILIES: dict[str, dict[str, tuple[float, ...]]] = {
    "Cel": {"Cel": (1.0,), "K": (1.0, -273.15), "[degF]": (5 / 9, -160 / 9)},
    "%": {"%": (1.0,), "1": (100.0,)},
    "W.h": {"W.h": (1.0,), "kW.h": (1000.0,), "MW.h": (1e6,), "J": (1 / 3600,), "kJ": (1 / 3.6,)},
    "W": {"W": (1.0,), "kW": (1000.0,), "mW": (0.001,)},
    "var": {"var": (1.0,), "kvar": (1000.0,)},
    "V": {"V": (1.0,), "mV": (0.001,), "kV": (1000.0,)},
    "A": {"A": (1.0,), "mA": (0.001,)},
    "Hz": {"Hz": (1.0,), "mHz": (0.001,), "kHz": (1000.0,)},
    "mm": {"mm": (1.0,), "cm": (10.0,), "m": (1000.0,), "[in_i]": (25.4,)},
    "m3": {"m3": (1.0,), "L": (0.001,), "dm3": (0.001,)},
    "m3/h": {"m3/h": (1.0,), "L/h": (0.001,), "L/min": (0.06,)},
    "s": {"s": (1.0,), "ms": (0.001,), "h": (3600.0,), "d": (86400.0,)},
    "min": {"min": (1.0,)},
    "hPa": {"hPa": (1.0,), "Pa": (0.01,), "kPa": (10.0,), "mbar": (1.0,), "bar": (1000.0,)},
    "ug/m3": {"ug/m3": (1.0,), "mg/m3": (1000.0,)},
    "[ppm]": {"[ppm]": (1.0,)},
    "[ppb]": {"[ppb]": (1.0,)},
    "lx": {"lx": (1.0,), "klx": (1000.0,)},
    "dB[SPL]": {"dB[SPL]": (1.0,)},
    "dB[mW]": {"dB[mW]": (1.0,)},
    "dB": {"dB": (1.0,)},
    "deg": {"deg": (1.0,)},
    "kg": {"kg": (1.0,), "g": (0.001,), "t": (1000.0,)},
    "CNY": {"CNY": (1.0,)},
}
_UNITS: dict[str, tuple[str, Linear]] = {
    unit: (canonical, Linear(*factors)) for canonical, family in _FAMILIES.items() for unit, factors in family.items()
}
# Units that have a family of their own and are also members of another.
_ALSO: dict[tuple[str, str], Linear] = {
    ("mA", "mA"): Linear(1.0),
    ("A", "mA"): Linear(1000.0),
    ("min", "s"): Linear(60.0),
    ("s", "min"): Linear(1 / 60),
    ("h", "min"): Linear(60.0),
}


def conversion(unit: str, canonical: str) -> Linear:
    """How to turn a value in ``unit`` into ``canonical``. Raises ValueError naming both when there is no way."""
    if unit == canonical:
        return Linear(1.0)
    if (unit, canonical) in _ALSO:
        return _ALSO[unit, canonical]
    known = _UNITS.get(unit)
    if known is None or known[0] != canonical:
        raise ValueError(f"no conversion from unit {unit!r} to {canonical!r}")
    return known[1]
