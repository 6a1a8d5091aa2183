"""The profiles that come with Linli hold what they say, and stay data."""

import re
from pathlib import Path

import pytest
import yaml

from contracts.profile import Profile
from contracts.verbs import VERBS
from edge_agent.profiles import SHIPPED, ProfileSet, load_profiles
from edge_agent.profiles.check import check_profile
from edge_agent.profiles.faults import check_files

FILES = sorted(path for path in SHIPPED.glob("*.yaml") if path.name != "envelopes.yaml")
AGENT = Path(__file__).parents[3] / "edge_agent"
CODE = sorted(AGENT.rglob("*.py"))
CENTRAL_SYSTEM = re.compile("ocpp", re.IGNORECASE)
"""Charge points speak it to the agent itself, so the central system's own folder, and what composes it, may name it."""
SPEAKERS = (  # makers, bridges and protocols of the shipped profiles and the fixtures; network servers too
    "decentlab", "dingtek", "disruptive", "everest", "elsys", "fiware", "ngsi", "kamstrup", "multical", "omnipower",
    "mclimate", "vicki", "milesight", "nwave", "openevse", "samsung", "smartthings", "zigbee", "z2m", "shelly", "sonoff",
    "tasmota", "tuya", "xiaomi", "yunkuaichong", "ykc", "ocpp", "wmbus", "chirpstack", "tts3", "loriot", "thethings",
)  # fmt: skip


def test_there_is_one_file_a_profile_named_for_it() -> None:
    for file in FILES:
        (profile,) = load_profiles([file])
        assert file.stem == profile.profile.id.replace("/", "_")
        assert profile.profile.source, "a profile cites the vendor's own description"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_profile_passes_its_own_examples(file: Path) -> None:
    assert check_files([file]) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_example_that_is_not_held_is_found(file: Path) -> None:
    """The check itself can fail: with every expectation turned into a wrong one, each example is reported."""
    (profile,) = load_profiles([file])
    for example in profile.examples:
        example.expect = dict.fromkeys(example.expect, "no such value") or {"fire_alarm": True}
        example.refused = "no_such_reason" if example.refused else ""
    problems = "\n".join(check_profile(profile))
    for place in range(len(profile.examples)):
        assert f"$.examples[{place}]" in problems


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_message_of_the_profile_has_an_example(file: Path) -> None:
    (profile,) = load_profiles([file])
    bare = _messages_without_example(profile)
    assert not bare, f"{file.name}: no example is read by $.messages{bare}"


def _messages_without_example(profile: Profile) -> list[int]:
    """The messages without which every example is still read."""
    bare = []
    for place in range(len(profile.messages)):
        if len(profile.messages) == 1:
            continue
        others = [message for at, message in enumerate(profile.messages) if at != place]
        fewer = Profile(
            profile=profile.profile, topics=profile.topics, envelope=profile.envelope, identity=profile.identity,
            parameters=profile.parameters, messages=others, examples=profile.examples,
        )  # fmt: skip
        if not check_profile(fewer):
            bare.append(place)
    return bare


def test_the_engine_names_no_maker() -> None:
    """A new model is a file of data; what the language can't say becomes a general operator of it."""
    speakers = re.compile("|".join(SPEAKERS), re.IGNORECASE)
    for path in CODE:
        text = path.read_text()
        if path.parent == AGENT / "ocpp" or path.name in ("program.py", "settings.py", "standing.py"):
            text = CENTRAL_SYSTEM.sub("", text)
        found = speakers.search(text)
        assert not found, f"{path.name} speaks of {found.group() if found else 0}: say it in a profile"


def test_every_makers_name_is_looked_for() -> None:
    makers = {profile.profile.id.partition("/")[0] for profile in load_profiles([SHIPPED])} - {"linli"}
    assert not [maker for maker in makers if not any(name in maker or maker in name for name in SPEAKERS)]


def test_every_verb_can_be_told_to_some_device() -> None:
    spoken = {verb for profile in load_profiles([SHIPPED]) for verb in profile.commands}
    assert spoken == set(VERBS)


def test_envelopes_hold_no_profile_and_profiles_no_envelope() -> None:
    document = yaml.safe_load((SHIPPED / "envelopes.yaml").read_text())
    for profile in load_profiles([SHIPPED]):
        used = profile.envelope if isinstance(profile.envelope, list) else [profile.envelope]
        assert {word for word in used if isinstance(word, str)} <= set(document)


def test_filters_take_in_every_example() -> None:
    profiles = ProfileSet.load([SHIPPED])
    for profile in profiles.profiles.values():
        for example in profile.examples:
            assert not profiles.is_spoken(example.topic), f"{example.topic} is a topic on which devices are told"
