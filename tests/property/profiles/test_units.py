"""The unit table against the libraries that know UCUM: ucumvert reads the code, pint converts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ucumvert import PintUcumRegistry

from contracts.units import _ALSO, _UNITS, conversion
from contracts.vocabulary import METRICS

REGISTRY = PintUcumRegistry()
NOT_IN_UCUM = {"var", "kvar", "CNY", "dB[SPL]", "dB[mW]", "dB", "%", "[ppm]", "[ppb]"}  # logarithms, money, ratios
PAIRS = sorted({(unit, canonical) for unit, (canonical, _) in _UNITS.items()} | set(_ALSO))
CHECKED = [(unit, canonical) for unit, canonical in PAIRS if not {unit, canonical} & NOT_IN_UCUM]


@pytest.mark.parametrize(("unit", "canonical"), CHECKED)
def test_conversion_is_that_of_the_libraries(unit: str, canonical: str) -> None:
    factor, offset = conversion(unit, canonical)
    for value in (0.0, 1.0, -17.5, 451.0):
        wanted = REGISTRY.Quantity(value, REGISTRY.from_ucum(unit).units).to(REGISTRY.from_ucum(canonical).units)
        assert value * factor + offset == pytest.approx(wanted.magnitude, rel=1e-12, abs=1e-9)


def test_ratio_and_percent() -> None:
    assert conversion("1", "%") == (100.0, 0.0)


@given(st.sampled_from(PAIRS), st.floats(-1e6, 1e6))
def test_conversions_are_finite_and_rise(pair: tuple[str, str], value: float) -> None:
    factor, offset = conversion(*pair)
    assert factor > 0
    assert (value + 1) * factor + offset > value * factor + offset


def test_every_unit_of_the_vocabulary_is_known() -> None:
    for metric in METRICS.values():
        assert conversion(metric.unit, metric.unit).factor == 1
        assert not metric.unit or metric.unit in {canonical for _, canonical in PAIRS}, metric.unit


def test_there_is_no_way_from_one_quantity_to_another() -> None:
    for unit, canonical in (("Cel", "W"), ("kW.h", "W"), ("mm", "s"), ("parsec", "mm"), ("", "W")):
        with pytest.raises(ValueError, match="no conversion"):
            conversion(unit, canonical)
