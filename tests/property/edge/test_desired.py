"""Any sequence of documents: what is read with is the newest version of each profile that was right."""

from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.messages import DesiredDevice, DesiredProfile
from contracts.profile_signature import sign
from edge_agent.downlink.desired import Applied, apply_profiles
from edge_agent.profiles import ProfileSet

OURS, NEXT, FOREIGN = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2, 3))
KEYS = [OURS.public_key(), NEXT.public_key()]
DOCUMENT = """\
profile: {{id: m/{name}, version: {version}, kind: waste, en: N, zh: N}}
topics: ["{name}/{{device}}"]
identity: {{device: "{{device}}"}}
parameters: {{height: 1000}}
messages:
  - readings:
      - metrics: {{fill_level: {{expr: "x / height", path: d, unit: "1"}}}}
examples:
  - {{topic: {name}/a, payload: {{d: 500}}, expect: {{fill_level: {expected}}}}}
"""


class Sent(NamedTuple):
    name: str
    version: int
    wrong: str  # "" when all is right with it


def travelling(sent: Sent) -> DesiredProfile:
    expected = 40 if sent.wrong == "examples_fail" else 50
    text = DOCUMENT.format(name=sent.name, version=sent.version, expected=expected)
    document = ("[" if sent.wrong == "profile_invalid" else text).encode()
    made = sign(f"m/{sent.name}", sent.version, document, FOREIGN if sent.wrong == "signature_wrong" else OURS)
    if sent.wrong == "digest_wrong":
        made.document += b"#"
    return made


WRONG = st.sampled_from(["", "", "", "signature_wrong", "digest_wrong", "examples_fail", "profile_invalid"])
DOCUMENTS = st.lists(
    st.dictionaries(st.sampled_from(["a", "b", "c"]), st.tuples(st.integers(1, 4), WRONG), max_size=3), max_size=6
)


@settings(deadline=None, max_examples=60)
@given(DOCUMENTS)
def test_the_set_is_the_newest_right_version_of_each(documents: list[dict[str, tuple[int, str]]]) -> None:
    now = Applied({}, {}, ProfileSet([]))
    held: dict[str, int] = {}
    for document in documents:
        sent = [Sent(name, version, wrong) for name, (version, wrong) in document.items()]
        now = apply_profiles([], now.taken, [travelling(each) for each in sent], KEYS)
        before, held, refused = held, {}, {}
        for name, version, wrong in sent:
            known = before.get(name, 0)
            if version < known:
                wrong = "version_older"
            elif version == known and wrong in ("examples_fail", "profile_invalid"):
                wrong = "version_reused"
            if wrong:
                refused[f"m/{name}"] = wrong
            if known or not wrong:
                held[name] = known if wrong else version
        assert {name: each.version for name, each in now.taken.items()} == {f"m/{n}": v for n, v in held.items()}
        assert {name: why.partition(":")[0] for name, why in now.refused.items()} == refused
        assert {name: each.profile.version for name, each in now.profiles.profiles.items()} == {
            f"m/{n}": v for n, v in held.items()
        }


def test_either_of_two_keys_counts_and_without_one_nothing_does() -> None:
    text = DOCUMENT.format(name="a", version=1, expected=50).encode()
    signed = [sign("m/a", 1, text, key) for key in (OURS, NEXT)]
    assert all("m/a" in apply_profiles([], {}, [each], KEYS).taken for each in signed)
    assert apply_profiles([], {}, [signed[0]], []).refused == {"m/a": "no_profile_key"}
    again = DesiredProfile(
        profile="m/a", version=2, digest=signed[0].digest, signature=signed[0].signature, document=text
    )
    assert apply_profiles([], {}, [again], KEYS).refused == {"m/a": "signature_wrong"}


def test_a_device_is_read_with_its_own_parameters_by_the_chosen_profile() -> None:
    text = DOCUMENT.format(name="a", version=1, expected=50)
    second = (
        text.replace("m/a", "m/z").replace("height: 1000", "height: 2000").replace("fill_level: 50", "fill_level: 25")
    )
    wanted = [sign("m/a", 1, text.encode(), OURS), sign("m/z", 1, second.encode(), OURS)]
    profiles = apply_profiles([], {}, wanted, KEYS).profiles

    def read(device: str) -> tuple[str, object]:
        (decoded,) = profiles.decode(f"a/{device}", b'{"d": 500}', 1_900_000_000_000)
        return decoded.profile, decoded.readings[0].samples[0].value

    assert read("one") == ("m/a", 50)
    profiles.use_devices([
        DesiredDevice(device="one", parameters={"height": 625}), DesiredDevice(device="two", profile="m/z"),
        DesiredDevice(device="three", profile="m/gone"),
    ])  # fmt: skip
    assert read("one") == ("m/a", 80)
    assert read("two") == ("m/z", 25)
    assert read("three") == ("m/a", 50)
    profiles.use_devices([])
    assert read("one") == read("two") == ("m/a", 50)
