"""Write what is made from the contracts: ``python -m contracts.documents``. A test holds the committed files to it.

docs/vocabulary.md              every metric, for people
contracts/profile.schema.json   the JSON Schema of profile documents, for editors
"""

import json
import re
from inspect import cleandoc
from pathlib import Path
from typing import Any

from contracts.profile import schema
from contracts.vocabulary import DAY_MS, HOUR_MS, METRICS, MINUTE_MS, Metric

_HOUSE = Path(__file__).parent.parent
VOCABULARY = _HOUSE / "docs" / "vocabulary.md"
SCHEMA = _HOUSE / "contracts" / "profile.schema.json"

_CHAPTERS = ((1, "Health, all kinds"), (40, "Parking"), (80, "Charging and electricity"), (140, "Waste"),
             (170, "Building"))  # fmt: skip

# What the standards call it; OCPP gives the phase beside the measurand.
_STANDARDS = {
    "spot_status": "FIWARE ParkingSpot.status",
    "free_spaces": "FIWARE OffStreetParking.availableSpotNumber",
    "total_spaces": "FIWARE OffStreetParking.totalSpotNumber",
    "connector_status": "OCPP 1.6 ChargePointStatus",
    "error_code": "OCPP 1.6 ChargePointErrorCode",
    "vendor_error_code": "OCPP vendorErrorCode",
    "power_active_import": "OCPP Power.Active.Import",
    "power_reactive_import": "OCPP Power.Reactive.Import",
    "power_factor": "OCPP Power.Factor",
    "energy_active_import_register": "OCPP Energy.Active.Import.Register",
    "energy_active_export_register": "OCPP Energy.Active.Export.Register",
    "current_import": "OCPP Current.Import",
    "current_offered": "OCPP Current.Offered",
    "voltage": "OCPP Voltage",
    "frequency": "OCPP Frequency",
    "soc": "OCPP SoC",
    "connector_id": "OCPP connectorId",
    "fill_level": "FIWARE WasteContainer.fillingLevel (there 0..1)",
    "cargo_weight": "FIWARE WasteContainer.cargoWeight",
    "container_status": "FIWARE WasteContainer.status",
}
_PHASE = re.compile(r"(.*?)((?:_l[123])*)$")
_OPENING = """\
# The vocabulary

Every name that a sample may carry, in every part of Linli. Made from `contracts/vocabulary.py` by
`python -m contracts.documents`; [CONTRIBUTING](../CONTRIBUTING.md) says how to add a metric.

- **Unit** is a UCUM code. A profile converts what a vendor sends; the API shows what stands here. Flags, enums, texts and
  plain counts have none (`null` in JSON).
- **Values**: the range of a number, both ends included, or the words of an enum. A value outside is kept as a sample
  without value, quality `bad`, with its reason: `out_of_range` or `wrong_type`. It never becomes 0.
- **Stale after**: past this age a value says nothing about the present. It is shown with its age, and availability
  becomes `unknown`.
- **No.** travels in frames and is kept in the store. It is never used again for another metric.
"""


def vocabulary_text() -> str:
    """docs/vocabulary.md as it must be."""
    parts = [_OPENING]
    starts = [start for start, _ in _CHAPTERS[1:]] + [1 << 32]
    for (start, title), end in zip(_CHAPTERS, starts, strict=True):
        members = sorted(metric for metric in METRICS.values() if start <= metric.number < end)
        parts.append(f"\n## {title}\n")
        parts.append("| No. | metric | unit | values | stale after | English | 中文 | standard |")
        parts.append("|---|---|---|---|---|---|---|---|")
        parts += [_row(metric) for metric in members]
    return "\n".join(parts) + "\n"


def _row(metric: Metric) -> str:
    unit = f"`{metric.unit}`" if metric.unit else ""
    base, phase = _PHASE.match(metric.name).groups()  # type: ignore[union-attr]
    standard = _STANDARDS.get(base, "")
    if standard and phase:
        standard += f", phase {phase[1:].replace('_', '-').upper()}"
    cells = (f"{metric.number}", f"`{metric.name}`", unit, _values(metric), _age(metric.stale_after_ms), metric.en, metric.zh,
             standard)  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def _values(metric: Metric) -> str:
    if metric.type == "number":
        return f"{_short(metric.low)} … {_short(metric.high)}"
    if metric.type == "boolean":
        return "true, false"
    return ", ".join(metric.members) if metric.type == "enum" else "text"


def _short(bound: float) -> str:
    return f"{bound:,.0f}".replace(",", " ") if bound == int(bound) else f"{bound:g}"


def _age(span_ms: int) -> str:
    for unit_ms, word in ((DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "min")):
        if span_ms >= unit_ms and span_ms % unit_ms == 0:
            return f"{span_ms // unit_ms} {word}"
    return f"{span_ms // 1000} s"


def schema_text() -> str:
    """contracts/profile.schema.json as it must be."""
    return json.dumps(_clean(schema()), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _clean(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: cleandoc(each) if key == "description" and isinstance(each, str) else _clean(each)
                for key, each in part.items()}  # fmt: skip
    return [_clean(each) for each in part] if isinstance(part, list) else part


def main() -> None:
    """Write both."""
    VOCABULARY.write_text(vocabulary_text(), encoding="utf-8")
    SCHEMA.write_text(schema_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
