"""Every vendor's real message, decoded by the shipped profiles, gives exactly what its fixture promises.

The fixtures lie beside the repository (``../shared/fixtures/vendor_payloads``; their README states the rule held here).
In a clone that stands alone these tests are skipped; the profiles' own examples carry the same bytes.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from edge_agent.profiles import SHIPPED, ProfileSet
from edge_agent.profiles.lines import sample_lines

FIXTURES = Path(__file__).parents[4] / "shared" / "fixtures" / "vendor_payloads"
CASES = sorted(FIXTURES.glob("*.json"))
NOW_MS = 1_790_000_000_000
KINDS = {"parking": "parking", "ev_charger": "charging", "waste_bin": "waste"}

pytestmark = pytest.mark.skipif(not CASES, reason="the vendors' fixtures do not lie beside this clone")


@pytest.fixture(scope="module")
def profiles() -> ProfileSet:
    """All shipped profiles together: the case's own profile must win over all others."""
    return ProfileSet.load([SHIPPED])


def payload_of(case: dict[str, Any]) -> bytes:
    """The bytes on the wire."""
    payload = case["payload"]
    if case["payload_encoding"] == "hex":
        return bytes.fromhex(payload)
    return payload.encode() if case["payload_encoding"] == "text" else json.dumps(payload).encode()


def read(profiles: ProfileSet, case: dict[str, Any], absent: bool = False) -> list[dict[str, Any]]:
    """What `edge-agent decode` prints."""
    lines = sample_lines(profiles, case["topic"], payload_of(case), NOW_MS, absent)
    return [json.loads(line) for line in lines]


def same(found: Any, wanted: Any, tolerance: float) -> bool:
    """Booleans are real booleans; numbers are near by 1e-6 of their size, or by the case's own tolerance."""
    if isinstance(wanted, bool | str) or isinstance(found, bool | str):
        return type(found) is type(wanted) and bool(found == wanted)
    return bool(abs(found - wanted) <= max(tolerance, 1e-6 * abs(wanted)))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_fixture_gives_what_it_promises(path: Path, profiles: ProfileSet) -> None:
    case = json.loads(path.read_text())
    lines = read(profiles, case)
    by_metric = {line["metric"]: line for line in lines}
    for name, spec in case["expect"].items():
        if name in case.get("optional", []) and name not in by_metric:
            continue
        line = by_metric[name]
        assert same(line["value"], spec["value"], spec.get("tol", 0.0)), (line, spec)
        assert line["unit"] == spec["unit"], (line, spec)
        assert (line["quality"], line["reason"]) == ("good", "")
    for name in case.get("absent", []):
        assert name not in by_metric
    assert all(line["value"] is not None for line in lines)
    observed = {line["observed_at_ms"] for line in lines}
    if "observed_at" in case:
        assert observed == {round(datetime.fromisoformat(case["observed_at"]).timestamp() * 1000)}
    else:
        assert observed <= {None}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_fixture_is_of_its_kind_of_facility(path: Path, profiles: ProfileSet) -> None:
    case = json.loads(path.read_text())
    try:
        decoded = profiles.decode(case["topic"], payload_of(case), NOW_MS)
    except Exception as error:
        raise AssertionError(f"refused: {error}") from error
    assert {part.kind for part in decoded} == {KINDS.get(case["kind"], "building")}


def test_what_has_no_valid_value_is_shown_only_on_request(profiles: ProfileSet) -> None:
    case = json.loads((FIXTURES / "ev_openevse_temp_invalid.json").read_text())
    assert read(profiles, case) == []
    (line,) = read(profiles, case, absent=True)
    assert (line["metric"], line["value"], line["quality"]) == ("device_temperature", None, "bad")
    assert line["reason"] == "invalid_marker"


def test_the_answer_does_not_depend_on_what_came_before() -> None:
    """Fixtures share topics, so a set that remembers who read a topic last is tempted to let the wrong profile read."""
    cases = [json.loads(path.read_text()) for path in CASES]
    alone = [ProfileSet.load([SHIPPED]).decode(case["topic"], payload_of(case), NOW_MS) for case in cases[:1]]
    profiles = ProfileSet.load([SHIPPED])
    forward = [profiles.decode(case["topic"], payload_of(case), NOW_MS) for case in cases]
    backward = [profiles.decode(case["topic"], payload_of(case), NOW_MS) for case in reversed(cases)]
    assert forward[:1] == alone
    assert forward == backward[::-1]
