"""Mutated payloads of all profiles, from a seed: whatever comes, readings that may be, or Undecodable, and bounded memory.

``python -m tests.mutated_payloads 1000000 [seed]`` tries so many and prints what became of them.
"""

import base64
import binascii
import json
import math
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from contracts.profile import Profile
from contracts.reading import Quality, Reading
from contracts.units import conversion
from contracts.vocabulary import METRICS, fault_of
from edge_agent.machine import resident_bytes
from edge_agent.profiles import SHIPPED, ProfileSet, Undecodable, load_profiles
from edge_agent.profiles.check import example_payload
from edge_agent.profiles.checks import crc16_modbus

NOW_MS = 1_790_000_000_000
LENGTH_MAX = 4_096
STRANGE: list[Any] = [
    None, True, False, 0, -1, 127, 255, 65535, 2**31, 2**63, 10**40, -1e308, 5e-324, 1.5, "", "NaN", "1e999", "-", "9" * 60,
    "x" * 300, "1970-01-01T00:00:00Z", "2099-01-01T00:00:00Z", [], {}, [[]], {"a": {"a": {}}}, [None] * 40, "\0", "\u202e", "==",
]  # fmt: skip
NASTY = [
    b"\xff\xff",
    b"\x7f\xff",
    b"\x80\x00",
    b"\0\0",
    b"\xff\xff\xff\xff",
    b'"',
    b"{",
    b"[" * 300,
    b"1e999",
    b"NaN",
    b":",
    b"\\u003a",
]


class Source(NamedTuple):
    """A message that its profile reads."""

    topic: str
    payload: bytes


def sources(profiles: list[Profile]) -> list[Source]:
    """The examples of all profiles."""
    return [Source(each.topic, example_payload(each)) for profile in profiles for each in profile.examples]


def marked(profiles: list[Profile]) -> dict[tuple[str, str], set[float]]:
    """(profile, metric) -> values that its invalid markers would be if they were taken for values."""
    found: dict[tuple[str, str], set[float]] = {}
    for profile in profiles:
        for message in profile.messages:
            for reading in message.readings:
                for name, spec in reading.metrics.items():
                    unit = conversion(spec.unit or METRICS[name].unit, METRICS[name].unit)
                    for marker in spec.invalid:
                        if type(marker) in (int, float):
                            scaled = float(marker) * spec.scale + spec.offset
                            value = scaled * unit.factor + unit.offset
                            found.setdefault((profile.profile.id, name), set()).add(value)
    return found


def mutated(chance: random.Random, payload: bytes, others: list[Source]) -> bytes:
    """The payload with one to three changes: of its bytes, of its JSON, or of the bytes that its JSON carries."""
    for _ in range(chance.choice((1, 1, 2, 3))):
        try:
            document = json.loads(payload) if chance.random() < 0.6 else None
        except (ValueError, RecursionError):
            document = None
        payload = (
            _of_json(chance, document) if type(document) is dict and document else _of_bytes(chance, payload, others)
        )
    return payload[:LENGTH_MAX]


def _of_bytes(chance: random.Random, payload: bytes, others: list[Source]) -> bytes:
    at = chance.randrange(len(payload) + 1)
    kind = chance.randrange(7)
    if kind == 0 and payload:
        at = min(at, len(payload) - 1)
        return payload[:at] + bytes([payload[at] ^ 1 << chance.randrange(8)]) + payload[at + 1 :]
    if kind == 1:
        return payload[:at]
    if kind == 2:
        return payload[:at] + payload[at + chance.randrange(1, 9) :]
    if kind == 3:
        return payload[:at] + chance.randbytes(chance.randrange(1, 9)) + payload[at:]
    if kind == 4:
        return payload[:at] + chance.choice(NASTY) + payload[at + chance.choice((0, 2)) :]
    if kind == 5:
        end = at + chance.randrange(1, 33)
        return payload[:at] + payload[at:end] * chance.choice((2, 3, 40)) + payload[end:]
    other = chance.choice(others).payload
    return payload[:at] + other[chance.randrange(len(other) + 1) :]


def _of_json(chance: random.Random, document: dict[str, Any]) -> bytes:
    holder, key = chance.choice(list(_places(document)))
    value = holder[key]
    if type(value) is str and (raw := _carried(value)) is not None and chance.random() < 0.8:
        changed = _of_bytes(chance, raw[0], [Source("", raw[0])])
        holder[key] = changed.hex() if raw[1] else base64.b64encode(changed).decode()
    elif chance.random() < 0.2:
        del holder[key]
    else:
        holder[key] = chance.choice(STRANGE)
    return json.dumps(document, separators=(",", ":")).encode(errors="replace")


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key in list(value) if type(value) is dict else range(len(value)):
        yield value, key
        if type(value[key]) in (dict, list):
            yield from _places(value[key])


def _carried(text: str) -> tuple[bytes, bool] | None:
    """The bytes that a text carries, and whether in hex; None where it is no such text."""
    try:
        return bytes.fromhex(text), True
    except ValueError:
        pass
    try:
        return base64.b64decode(text, validate=True), False
    except (binascii.Error, ValueError):
        return None


def judge(profile: str, reading: Reading, forbidden: dict[tuple[str, str], set[float]]) -> None:
    """A reading that may be. Raises AssertionError."""
    assert 1 <= len(reading.device) <= 128 and 1 <= len(reading.samples) <= 64
    for sample in reading.samples:
        if sample.value is None:
            assert sample.quality is Quality.BAD and sample.reason, sample
            continue
        assert fault_of(METRICS[sample.metric], sample.value) == "", sample
        assert not isinstance(sample.value, float) or math.isfinite(sample.value)
        if not isinstance(sample.value, str | bool):
            markers = forbidden.get((profile, sample.metric), ())
            assert not any(math.isclose(sample.value, marker, rel_tol=1e-9) for marker in markers), (profile, sample)


def is_forged(payload: bytes) -> bool:
    """Whether a charging pile's frame (YKC 1.5) carries a checksum that is not its own."""
    wanted = crc16_modbus(payload[2:-2])
    return payload[-2:] not in (wanted.to_bytes(2, "little"), wanted.to_bytes(2, "big"))


def run(count: int, seed: int) -> Counter[str]:
    """Try so many. Returns how many were read, and refused for which reason. Raises AssertionError with the payload."""
    documents = load_profiles([SHIPPED])
    profiles = ProfileSet(documents)
    forbidden = marked(documents)
    given = sources(documents)
    chance = random.Random(seed)
    became: Counter[str] = Counter()
    for number in range(count):
        source = chance.choice(given)
        payload = mutated(chance, source.payload, given)
        try:
            decoded = profiles.decode(source.topic, payload, NOW_MS)
        except Undecodable as error:
            assert error.reason not in ("profile_failed", "profile_too_slow", "profile_suspended"), (
                f"seed {seed}, number {number}: {error} by {source.topic} {payload!r}"
            )
            became[f"refused: {error.reason}"] += 1
            continue
        became["read"] += 1
        try:
            assert not (source.topic.startswith("ykc/") and is_forged(payload)), "a wrong checksum was believed"
            for part in decoded:
                for reading in part.readings:
                    judge(part.profile, reading, forbidden)
                    for sample in reading.samples:
                        if sample.reason:
                            became[f"no value: {sample.reason}"] += 1
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, number {number}: {error} by {source.topic} {payload!r}") from error
    return became


def main() -> None:
    """Print what became of them."""
    count, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    run(min(count, 20_000), seed)
    before, began = resident_bytes(), time.monotonic()
    for what, times in sorted(run(count, seed).items()):
        print(f"{times:10,}  {what}")
    grown = (resident_bytes() - before) / 1e6
    print(f"{count:10,}  in {time.monotonic() - began:.0f} s, seed {seed}; resident memory grew by {grown:.1f} MB")


if __name__ == "__main__":
    main()
