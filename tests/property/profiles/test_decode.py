"""Whatever a message's bytes are, decoding gives valid readings or Undecodable, and nothing else."""

import json
import math
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.profile import Example
from contracts.reading import Clock, Quality, Reading
from contracts.vocabulary import KINDS, METRICS, fault_of
from edge_agent.profiles import SHIPPED, ProfileSet, Undecodable
from edge_agent.profiles.check import example_payload
from edge_agent.profiles.envelopes import read_json

PROFILES = ProfileSet.load([SHIPPED])
EXAMPLES: list[Example] = [example for profile in PROFILES.profiles.values() for example in profile.examples]
NOW_MS = 1_790_000_000_000
AHEAD_MS = 24 * 3_600_000

STRANGE: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 65535, 2**31, 2**63, 2**64, 10**40, -(10**400), 1e308, -1e308, 5e-324]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(["", "NaN", "1e999", "-", "1.5 kg", "true", "9" * 60, "x" * 200, "1970-01-01T00:00:00Z"]),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
)


def check_reading(reading: Reading) -> None:
    """What the frame codec and the stores rely on."""
    assert 0 < len(reading.device) <= 128
    assert reading.received_ms == NOW_MS
    assert (reading.observed_ms == NOW_MS) or reading.clock is Clock.DEVICE
    assert 1_262_304_000_000 <= reading.observed_ms <= NOW_MS + AHEAD_MS
    names = [sample.metric for sample in reading.samples]
    assert 0 < len(names) <= 64
    assert len(set(names)) == len(names)
    for sample in reading.samples:
        if sample.value is None:
            assert sample.quality is Quality.BAD
            assert sample.reason
        else:
            assert fault_of(METRICS[sample.metric], sample.value) == ""
            assert not isinstance(sample.value, float) or math.isfinite(sample.value)


def decode(topic: str, payload: bytes) -> str:
    """Decode and check; the reason of a refusal, or ""."""
    try:
        decoded = PROFILES.decode(topic, payload, NOW_MS)
    except Undecodable as error:
        assert error.reason.replace("_", "").isalnum() and error.reason == error.reason.lower()
        return error.reason
    assert decoded
    for part in decoded:
        assert part.kind in KINDS
        assert part.readings
        for reading in part.readings:
            assert reading.device == part.device
            check_reading(reading)
    return ""


@st.composite
def mutated_bytes(draw: st.DrawFn) -> tuple[str, bytes]:
    """An example's payload with bytes changed, cut out, doubled or put in."""
    chosen = draw(st.sampled_from(EXAMPLES))
    payload = bytearray(example_payload(chosen))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(payload)))
        match draw(st.sampled_from(["change", "cut", "double", "put"])):
            case "change" if at < len(payload):
                payload[at] = draw(st.integers(0, 255))
            case "cut":
                del payload[at : at + draw(st.integers(1, 8))]
            case "double":
                payload[at:at] = payload[at : at + draw(st.integers(1, 32))]
            case _:
                payload[at:at] = draw(st.binary(max_size=8))
    return chosen.topic, bytes(payload)


@given(mutated_bytes())
@settings(max_examples=400, deadline=None)
def test_mutated_bytes(case: tuple[str, bytes]) -> None:
    decode(*case)


def places(document: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    inner = document.items() if isinstance(document, dict) else enumerate(document)
    found = [at] if at else []
    for key, value in inner:
        found += places(value, (*at, key)) if isinstance(value, dict | list) else [(*at, key)]
    return found


@st.composite
def mutated_documents(draw: st.DrawFn) -> tuple[str, bytes]:
    """An example's JSON document with strange values in some of its places, or places gone."""
    with_document = [chosen for chosen in EXAMPLES if isinstance(chosen.payload, dict | list)]
    chosen = draw(st.sampled_from(with_document))
    document = json.loads(example_payload(chosen))
    for _ in range(draw(st.integers(1, 3))):
        every = places(document)
        if not every:
            break
        *path, last = draw(st.sampled_from(every))
        parent = document
        for key in path:
            parent = parent[key]
        if draw(st.booleans()) or isinstance(parent, list):
            parent[last] = draw(STRANGE)
        else:
            del parent[last]
    return chosen.topic, json.dumps(document, allow_nan=True).encode()


@given(mutated_documents())
@settings(max_examples=600, deadline=None)
def test_mutated_documents(case: tuple[str, bytes]) -> None:
    decode(*case)


@given(st.sampled_from(EXAMPLES), st.binary(max_size=60))
@settings(max_examples=300, deadline=None)
def test_other_devices_bytes_in_a_known_envelope(chosen: Example, data: bytes) -> None:
    """Random bytes where the device's own should be, on the port that the profile reads."""
    payload = example_payload(chosen)
    if isinstance(chosen.payload, dict) and "data" in chosen.payload:
        document = {**chosen.payload, "data": msgspec.to_builtins(data)}
        payload = json.dumps(document).encode()
    elif chosen.hex is not None:
        payload = data
    decode(chosen.topic, payload)


@given(st.text(max_size=40), st.binary(max_size=40))
def test_any_topic_and_any_payload(topic: str, payload: bytes) -> None:
    decode(topic, payload)


@given(st.dictionaries(st.sampled_from(sorted(METRICS)), STRANGE, min_size=1, max_size=12))
def test_open_reading_with_strange_values(samples: dict[str, Any]) -> None:
    decode("linli-device/reading/strange-1", json.dumps({"samples": samples}).encode())


KEYS = st.sampled_from(["a", "b", "c:", '"', "\\", "ключ", ":", '":', "\\u003a"])
DOCUMENTS = st.recursive(
    st.one_of(st.integers(-5, 5), KEYS, st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)


@st.composite
def json_texts(draw: st.DrawFn) -> tuple[str, bool]:
    """JSON written in one of many ways, and whether a key stands twice in one object of it."""
    twice = False

    def text(value: str) -> str:
        if draw(st.booleans()):
            return '"' + "".join(f"\\u{ord(mark):04{draw(st.sampled_from('xX'))}}" for mark in value) + '"'
        return json.dumps(value, ensure_ascii=draw(st.booleans()))

    def gap() -> str:
        return draw(st.sampled_from(["", "", " ", "\n", "\t\r"]))

    def write(value: Any) -> str:
        nonlocal twice
        if isinstance(value, dict):
            pairs = list(value.items())
            if pairs and draw(st.integers(0, 3)) == 0:
                pairs.append((draw(st.sampled_from(pairs))[0], draw(KEYS)))
                twice = True
            inner = ",".join(f"{gap()}{text(key)}{gap()}:{gap()}{write(each)}{gap()}" for key, each in pairs)
            return "{" + inner + "}"
        if isinstance(value, list):
            return "[" + ",".join(write(each) for each in value) + "]"
        return text(value) if isinstance(value, str) else json.dumps(value)

    return write(draw(DOCUMENTS)), twice


@given(json_texts())
@example((r'{"a":1,"a":2,"b":"\":"}', True))
@example((r'{"a":1,"a":2,"b":"\u0022\u003a"}', True))
@example((r'{"a":1,"a" :2}', True))
@settings(max_examples=400, deadline=None)
def test_a_key_that_stands_twice_is_always_found(case: tuple[str, bool]) -> None:
    text, twice = case
    try:
        document = read_json(text.encode())
    except Undecodable as error:
        assert twice and error.reason == "keys_duplicate"
    else:
        assert not twice
        assert document == json.loads(text)
