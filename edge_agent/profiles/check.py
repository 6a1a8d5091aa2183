"""Do profiles hold what they say? Every example is decoded and compared: by `edge-agent profile check`, tests, and at load."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from contracts.profile import Example, Profile
from contracts.reading import Sample, Value
from edge_agent.profiles.errors import ProfileError, Undecodable
from edge_agent.profiles.profile_set import ProfileSet, load_profiles

_RECEIVED_MS = 1_893_456_000_000  # 2030-01-01: an example's own times are never in its future


def check_files(paths: Iterable[Path]) -> list[str]:
    """What is wrong with these profile files, a line each: schema, units, examples. Empty when all is well."""
    problems = []
    for path in paths:
        try:
            profiles = load_profiles([path])
            for profile in profiles:
                problems += [f"{path}: {problem}" for problem in check_profile(profile)]
        except ProfileError as error:
            problems.append(str(error))
    return problems


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
        decoded = compiled.decode(example.topic, example_payload(example), _RECEIVED_MS)
    except Undecodable as error:
        return [f"is refused: {error}"]
    samples: dict[str, Sample] = {}
    for part in decoded:
        if example.device and part.device != example.device:
            return [f"device is {part.device!r}, not {example.device!r}"]
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
