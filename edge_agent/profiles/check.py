"""Do profiles hold what they say? Every example is decoded and compared: by `edge-agent profile check`, tests, and at load."""

from pathlib import Path
from typing import Any

import msgspec

from contracts.profile import Example, Profile
from contracts.reading import Sample, Value
from edge_agent.profiles.errors import ProfileError, Undecodable
from edge_agent.profiles.profile_set import SHIPPED, ProfileSet, load_profiles

_RECEIVED_MS = 1_893_456_000_000  # 2030-01-01: an example's own times are never in its future


def load_with_own(own: Path | None) -> ProfileSet:
    """The shipped profiles, which the tests have checked, and the site's own, which are checked here.

    own: a file or folder; a profile in it replaces the shipped one of the same id. Raises ProfileError, also for an
    example that is not held.
    """
    for profile in load_profiles([own]) if own else ():
        if problems := check_profile(profile):
            raise ProfileError(str(own), profile.profile.id, problems[0])
    return ProfileSet.load([SHIPPED, *([own] if own else [])])


def check_profile(profile: Profile) -> list[str]:
    """Which examples of this profile do not give what they promise. Raises ProfileError when it does not compile."""
    compiled = ProfileSet([profile])
    return [
        f"$.examples[{place}]: {problem}"
        for place, example in enumerate(profile.examples)
        for problem in _check_example(compiled, example)
    ]


def example_payload(example: Example) -> bytes:
    """The bytes that an example stands for."""
    if example.hex is not None:
        return bytes.fromhex(example.hex)
    if example.text is not None:
        return example.text.encode()
    return msgspec.json.encode(example.payload)


def _check_example(compiled: ProfileSet, example: Example) -> list[str]:
    try:
        payload = example_payload(example)
    except ValueError as error:
        return [f"its hex is not hexadecimal: {error}"]
    try:
        decoded = compiled.decode(example.topic, payload, _RECEIVED_MS)
    except Undecodable as error:
        return [] if error.reason == example.refused else [f"is refused: {error}"]
    if example.refused:
        return [f"is not refused as {example.refused}"]
    if not example.expect and not example.absent:
        return ["expects nothing: say 'expect', 'absent' or 'refused'"]
    samples: dict[str, Sample] = {}
    for part in decoded:
        if example.device and part.device != example.device:
            return [f"device is {part.device!r}, not {example.device!r}"]
        observed = {reading.observed_ms for reading in part.readings}
        if example.observed_at_ms is not None and observed != {example.observed_at_ms}:
            return [f"is observed at {sorted(observed)}, not {example.observed_at_ms}"]
        samples.update({sample.metric: sample for reading in part.readings for sample in reading.samples})
    problems = []
    for name, wanted in example.expect.items():
        found = samples.get(name)
        if found is None or found.value is None:
            problems.append(f"{name} is missing" + (f" ({found.reason})" if found else ""))
        elif not _equal(found.value, wanted):
            problems.append(f"{name} is {found.value!r}, not {wanted!r}")
    strays = [name for name in example.absent if name in samples and samples[name].value is not None]
    return problems + [f"{name} must have no value, but has {samples[name].value!r}" for name in strays]


def _equal(found: Value, wanted: Any) -> bool:
    if isinstance(found, bool) or isinstance(wanted, bool) or isinstance(found, str) or isinstance(wanted, str):
        return type(found) is type(wanted) and found == wanted
    return wanted is not None and abs(found - wanted) <= 1e-6 * max(abs(found), abs(wanted))
