"""The catalogue stays bounded and loses no count; the score never rises by what the profile does not know."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import Discovered
from edge_agent.discovery import Catalogue, Discovery, Proposer
from edge_agent.discovery.catalogue import HEAD_BYTES, KEPT_BYTES_MAX, TOPIC_LENGTH_MAX
from edge_agent.discovery.scoring import SCORE_MIN
from edge_agent.profiles import SHIPPED, ProfileSet
from edge_agent.profiles.check import example_payload

NOW_MS = 1_893_456_000_000
LEVEL = st.text("abc0123+/", max_size=4)


@pytest.fixture(scope="module")
def profiles() -> ProfileSet:
    return ProfileSet.load([SHIPPED])


@given(st.lists(st.lists(LEVEL, min_size=1, max_size=4), max_size=120))
def test_catalogue_is_bounded_and_counts_everything(topics: list[list[str]]) -> None:
    catalogue = Catalogue(topics_max=8, siblings_max=3)
    for at_ms, levels in enumerate(topics):
        catalogue.note("/".join(levels), b"x", at_ms)
    assert len(catalogue.entries) <= 8
    assert sum(entry.count for entry in catalogue.entries.values()) == len(topics)
    assert all(entry.first_ms <= entry.at_ms for entry in catalogue.entries.values())


def test_flood_of_ids_is_one_pattern() -> None:
    catalogue = Catalogue()
    for number in range(10_000):
        catalogue.note(f"zigbee2mqtt/{number:04}", b"x" * (KEPT_BYTES_MAX + 1), number)
    assert list(catalogue.entries) == ["zigbee2mqtt/+"]
    entry = catalogue.entries["zigbee2mqtt/+"]
    assert (entry.count, entry.first_ms, entry.at_ms, len(entry.payload)) == (10_000, 0, 9_999, KEPT_BYTES_MAX)
    catalogue.note("y" * 10_000, b"", 0)
    assert max(map(len, catalogue.entries)) == TOPIC_LENGTH_MAX


def test_own_profile_is_the_best_proposal_on_a_topic_not_its_own(profiles: ProfileSet) -> None:
    proposer = Proposer(profiles)
    cases = [
        (profile.profile.id, example)
        for profile in profiles.profiles.values()
        for example in profile.examples
        if not example.refused and profile.profile.id != "linli/reading"
    ]
    wrong = []
    for name, example in cases:
        topic = "plant/unit-0042/" + example.topic.rpartition("/")[2]
        ranked = proposer.ranked(topic, example_payload(example), NOW_MS)
        if not ranked or ranked[0].profile != name:
            wrong.append((name, example.topic))
        assert max((each.score for each in ranked if each.profile != name), default=0) < SCORE_MIN
    assert len(wrong) <= len(cases) // 20, wrong


def test_without_any_example_the_right_profile_is_still_first(profiles: ProfileSet) -> None:
    """Else the examples would prove themselves: what is proposed for them is found by what of them is understood."""
    bare = ProfileSet([msgspec.structs.replace(each, examples=[]) for each in profiles.profiles.values()])
    proposer = Proposer(bare)
    right = cases = 0
    for profile in profiles.profiles.values():
        for example in profile.examples:
            if example.refused or profile.profile.id == "linli/reading":
                continue
            cases += 1
            topic = "plant/unit-0042/" + example.topic.rpartition("/")[2]
            ranked = proposer.ranked(topic, example_payload(example), NOW_MS)
            best = [each.profile for each in ranked if each.score == ranked[0].score]
            right += best == [profile.profile.id]
    print(f"first without examples: {right} of {cases}")
    assert right >= 0.9 * cases


@given(st.sets(st.text("xyz", min_size=3, max_size=6), max_size=8))
def test_unknown_fields_never_raise_the_score(names: set[str]) -> None:
    profiles = ProfileSet.load([SHIPPED / "zigbee2mqtt_plug.yaml"])
    proposer = Proposer(profiles)
    (profile,) = profiles.profiles.values()
    document = msgspec.json.decode(example_payload(profile.examples[0]))
    before = 2.0
    for count in range(len(names) + 1):
        added = {**document, **dict.fromkeys(sorted(names)[:count], 1)}
        (proposal,) = proposer.ranked("plant/7", msgspec.json.encode(added), NOW_MS)
        assert proposal.score <= before
        before = proposal.score


def test_a_topic_is_told_once_and_again_when_it_matters(profiles: ProfileSet) -> None:
    told: list[Discovered] = []
    now = [NOW_MS]
    discovery = Discovery(profiles, told.append, lambda: now[0])
    payload = example_payload(profiles.profiles["zigbee2mqtt/plug"].examples[0])
    for _ in range(3):
        discovery.catalogue.note("plant/unit-7", payload, now[0])
        discovery.look()
    assert [found.topic for found in told] == ["plant/unit-7"]
    assert told[0].proposals[0].profile == "zigbee2mqtt/plug"
    assert told[0].proposals[0].values
    assert len(told[0].head) <= HEAD_BYTES
    now[0] += 60_000
    discovery.catalogue.note("plant/unit-7", b"{}", now[0])
    discovery.look()
    assert [found.count for found in told] == [1, 4]
    assert told[1].proposals == []
