"""A foreign topic that is bound to a device is read by the device's profile, under the device's id."""

from pathlib import Path

import pytest

from contracts.messages import DesiredDevice
from edge_agent.discovery import Discovery
from edge_agent.profiles import SHIPPED, ProfileSet, Undecodable
from edge_agent.profiles.check import example_payload
from edge_agent.profiles.foreign import told_on

NOW_MS = 1_893_456_000_000
TOPIC = "plant/unit-7"
PLUG = "zigbee2mqtt/plug"
LEVEL = """\
profile: {id: test/tank, version: 1, kind: waste, en: Tank, zh: 水箱}
identity: {device: "{device}"}
envelope: json
topics: ["tank/{device}"]
parameters: {height_mm: 1000}
messages:
  - readings:
      - metrics:
          fill_level: {path: d, expr: "100 * (1 - x / height_mm)", unit: "%"}
examples:
  - {topic: tank/a, payload: {d: 250}, expect: {fill_level: 75}}
"""


@pytest.fixture
def profiles(tmp_path: Path) -> ProfileSet:
    (tmp_path / "tank.yaml").write_text(LEVEL)
    return ProfileSet.load([SHIPPED, tmp_path / "tank.yaml"])


def test_it_is_read_under_the_devices_id_and_told_beside_its_topic(profiles: ProfileSet) -> None:
    payload = example_payload(profiles.profiles[PLUG].examples[0])
    (usual,) = profiles.decode(profiles.profiles[PLUG].examples[0].topic, payload, NOW_MS)
    assert usual.verbs, "the profile has commands"
    with pytest.raises(Undecodable, match=TOPIC):
        profiles.decode(TOPIC, payload, NOW_MS)
    boiler = DesiredDevice(device="boiler", profile=PLUG, topics=[TOPIC])
    profiles.use_devices([boiler])
    for _ in range(2):
        (bound,) = profiles.decode(TOPIC, payload, NOW_MS)
        assert (bound.device, bound.profile, bound.verbs) == ("boiler", PLUG, usual.verbs)
        assert [reading.samples for reading in bound.readings] == [reading.samples for reading in usual.readings]
        profiles.use_devices([boiler])  # the next document
    assert profiles.action(PLUG, "boiler", "switch_on", {}).topic == f"{TOPIC}/set"
    assert profiles.action(PLUG, "lamp", "switch_on", {}).topic == "zigbee2mqtt/lamp/set"
    assert profiles.is_spoken(f"{TOPIC}/set") and not profiles.is_spoken("plant/unit-8/set")
    assert profiles.decode(profiles.profiles[PLUG].examples[0].topic, payload, NOW_MS) == (usual,)
    profiles.use_devices([])
    assert not profiles.is_spoken(f"{TOPIC}/set")
    with pytest.raises(Undecodable, match=TOPIC):
        profiles.decode(TOPIC, payload, NOW_MS)


@pytest.mark.parametrize(
    ("command", "reports", "topic", "told"),
    [
        ("plug/{device}/set", ["plug/{device}"], "plant/7", "plant/7/set"),
        ("plug/{device}/set", ["plug/{device}/state"], "plant/7/state", "plant/7/set"),
        (
            "plug/{device}/set",
            ["plug/{device}/state"],
            "plant/7",
            "",
        ),  # it speaks otherwise: nobody knows where it hears
        ("cmnd/{device}/POWER", ["tele/{device}/SENSOR"], "tele/7/SENSOR", ""),
        ("app/{app}/{device}/down", ["app/{app}/{device}/up"], "x/7/up", "x/7/down"),
        ("{device}/set", ["other/#", "{device}"], "7", "7/set"),
    ],
)
def test_where_a_device_is_told(command: str, reports: list[str], topic: str, told: str) -> None:
    assert told_on(command, reports, "{device}", topic) == told


def test_its_own_parameters_count(profiles: ProfileSet) -> None:
    profiles.use_devices(
        [DesiredDevice(device="north", profile="test/tank", topics=[TOPIC], parameters={"height_mm": 2000})]
    )
    (bound,) = profiles.decode(TOPIC, b'{"d": 500}', NOW_MS)
    assert [(reading.device, reading.samples[0].value) for reading in bound.readings] == [("north", 75)]


def test_what_its_profile_does_not_know_is_refused_by_name_and_not_discovered_again(profiles: ProfileSet) -> None:
    profiles.use_devices([DesiredDevice(device="north", profile="test/tank", topics=[TOPIC])])
    with pytest.raises(Undecodable) as refusal:
        profiles.decode(TOPIC, b'{"other": 1}', NOW_MS)
    assert refusal.value.reason not in ("topic_unknown", "no_profile")
    profiles.use_devices([DesiredDevice(device="north", profile="nobody/knows", topics=[TOPIC])])
    with pytest.raises(Undecodable, match=TOPIC):  # a gateway without this profile: it goes on being found
        profiles.decode(TOPIC, b'{"d": 500}', NOW_MS)


def test_what_is_read_leaves_the_catalogue(profiles: ProfileSet, tmp_path: Path) -> None:
    discovery = Discovery(ProfileSet.load([SHIPPED]), lambda found: None, lambda: NOW_MS)
    for number in range(3):
        discovery.catalogue.note(f"plant/unit-{number}", b"{}", NOW_MS)
    discovery.catalogue.note("tank/t1", b'{"d": 500}', NOW_MS)
    profiles.use_devices([DesiredDevice(device="north", profile="test/tank", topics=["plant/unit-1"])])
    discovery.use_profiles(profiles)  # tank/t1 is read by the profile that has come
    assert sorted(discovery.catalogue.entries) == ["plant/unit-0", "plant/unit-2"]
    for number in range(40):
        discovery.catalogue.note(f"plant/unit-{number}", b"{}", NOW_MS)
    assert list(discovery.catalogue.entries) == ["plant/+"]
