"""Mutated payloads over all profiles: only Undecodable comes out, memory is bounded, nothing forged is believed."""

import base64
import json

from contracts.reading import Quality
from edge_agent.machine import resident_bytes
from edge_agent.profiles import SHIPPED, ProfileSet, Undecodable, load_profiles
from tests.faults import LONG
from tests.mutated_payloads import NOW_MS, marked, run, sources

PROFILES = load_profiles([SHIPPED])


def test_mutated_payloads() -> None:
    """A million with LINLI_FAULTS=long; docs/profiles.md has what came of it."""
    run(2_000, 7)  # what is kept for good (compiled expressions, topics) is there now
    before = resident_bytes()
    became = run(1_000_000 if LONG else 18_000, 8)
    grown = resident_bytes() - before
    assert became["read"] > 1_000 and became["no value: invalid_marker"] > 50, "it has tried too little"
    assert became["refused: checksum_wrong"] > 20
    assert grown < 16_000_000


def test_no_byte_under_a_checksum_can_change_unnoticed() -> None:
    profiles = ProfileSet(PROFILES)
    tried = 0
    for source in sources(PROFILES):
        if not source.topic.startswith("ykc/"):
            continue
        for at in range(len(source.payload)):
            for bit in (0, 3, 7):
                changed = bytearray(source.payload)
                changed[at] ^= 1 << bit
                try:
                    read = profiles.decode(source.topic, bytes(changed), NOW_MS)
                except Undecodable as error:
                    assert error.reason in ("checksum_wrong", "codec_refused", "no_profile")
                else:
                    raise AssertionError(f"byte {at} was changed, and {read} was read")
                tried += 1
    assert tried > 300


def test_an_invalid_marker_is_no_value() -> None:
    """Two bytes FF at each place in turn: where the marker then stands there is no value, and the reason is said."""
    profiles = ProfileSet(PROFILES)
    forbidden = marked(PROFILES)
    seen = set()
    for source in sources(PROFILES):
        document = json.loads(source.payload) if source.payload.startswith(b"{") else {}
        holder = document.get("uplink_message", document)
        field = "frm_payload" if "frm_payload" in holder else "data"
        data = holder.get(field)
        if not isinstance(data, str):
            continue
        raw = base64.b64decode(data) if source.topic.startswith(("v3/", "application/")) else bytes.fromhex(data)
        for at in range(len(raw) - 1):
            changed = raw[:at] + b"\xff\xff" + raw[at + 2 :]
            holder[field] = changed.hex() if source.topic.startswith("loriot/") else base64.b64encode(changed).decode()
            try:
                decoded = profiles.decode(source.topic, json.dumps(document).encode(), NOW_MS)
            except Undecodable:
                continue
            for part in decoded:
                for sample in [each for reading in part.readings for each in reading.samples]:
                    if sample.reason == "invalid_marker":
                        assert sample.value is None and sample.quality is Quality.BAD
                        seen.add((part.profile, sample.metric))
                    assert sample.value not in forbidden.get((part.profile, sample.metric), set())
        holder[field] = data
    assert {key for key in forbidden if key[0].startswith(("dingtek", "milesight"))} <= seen
