"""Each operator of the profile language by itself, on small made-up devices."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contracts.profile import Profile
from contracts.reading import Clock, Sample
from edge_agent.profiles import ActionRefused, Decoded, ProfileError, ProfileSet, Undecodable
from edge_agent.profiles.check import check_profile, load_with_own
from edge_agent.profiles.faults import check_files, faults_of

NOW_MS = 1_790_000_000_000
JSON_TOPIC = "made-up/dev-1/state"


def profile_of(message: dict[str, Any], **parts: Any) -> Profile:
    """A profile of one message (the whole document with parts)."""
    document = {
        "profile": {"id": "made-up/model", "version": 1, "kind": "building", "en": "Made up", "zh": "虚构"},
        "topics": ["made-up/{dev}/state"],
        "identity": {"device": "{dev}"},
        "messages": [message],
        "examples": [{"topic": JSON_TOPIC, "payload": {}, "refused": "nothing_read"}],
        **parts,
    }
    return msgspec.convert(document, Profile)


def decode(profile: Profile, payload: Any, topic: str = JSON_TOPIC, now_ms: int = NOW_MS) -> tuple[Decoded, ...]:
    """Read a JSON document, or bytes as they are."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return ProfileSet([profile]).decode(topic, raw, now_ms)


def samples(decoded: Sequence[Decoded]) -> dict[str, Sample]:
    """Of all readings."""
    return {sample.metric: sample for part in decoded for reading in part.readings for sample in reading.samples}


def one(metric: str, spec: dict[str, Any], document: Any, **parts: Any) -> tuple[Any, str] | None:
    """(value, reason) of one metric; None when the message does not speak of it."""
    profile = profile_of({"readings": [{"metrics": {metric: spec, "message_count": {"value": 1}}}]}, **parts)
    sample = samples(decode(profile, document)).get(metric)
    return (sample.value, sample.reason) if sample else None


@pytest.mark.parametrize(
    ("metric", "spec", "document", "wanted"),
    [
        # numbers and units
        ("battery_voltage", {"path": "v", "unit": "mV"}, {"v": 2962}, (2.962, "")),
        ("temperature", {"path": "t", "scale": 0.1}, {"t": 257}, (25.7, "")),
        ("temperature", {"path": "t", "unit": "[degF]"}, {"t": 212}, (pytest.approx(100), "")),
        ("temperature", {"path": "t"}, {"t": "21.50"}, (21.5, "")),
        ("temperature", {"path": "t"}, {"t": "25 ℃"}, (25, "")),
        ("temperature", {"path": "t"}, {"t": "warm"}, (None, "not_understood")),
        ("temperature", {"path": "t"}, {"t": True}, (None, "not_understood")),
        ("temperature", {"path": "t"}, {"t": {"v": 1}}, (None, "not_understood")),
        ("temperature", {"path": "t"}, {"t": 999}, (None, "out_of_range")),
        ("temperature", {"path": "t"}, {"t": 10**400}, (None, "out_of_range")),
        ("temperature", {"path": "t", "scale": 0.3, "offset": 1.5}, {"t": 10**400}, (None, "not_understood")),
        ("temperature", {"path": "t", "valid": [0, 50]}, {"t": -1}, (None, "out_of_range")),
        ("temperature", {"path": "t"}, {"t": ""}, None),
        ("temperature", {"path": "t"}, {"t": None}, None),
        ("temperature", {"path": "t"}, {}, None),
        ("temperature", {"path": "t", "invalid": [0]}, {"t": 0}, (None, "invalid_marker")),
        ("temperature", {"path": "t", "invalid": [False]}, {"t": 0}, (0, "")),
        ("temperature", {"path": "t", "invalid": ["No Sensor"]}, {"t": "No Sensor"}, (None, "invalid_marker")),
        ("fill_distance", {"path": "d.v", "unit_path": "d.u", "units": {"in": "[in_i]"}}, {"d": {"v": 2, "u": "in"}},
         (50.8, "")),
        ("fill_distance", {"path": "d", "unit": "cm", "unit_path": "u", "units": {"m": "m"}}, {"d": 2}, (20, "")),
        ("fill_distance", {"path": "d", "unit_path": "u", "units": {"m": "m"}}, {"d": 2, "u": "ell"},
         (None, "not_understood")),
        ("voltage", {"root": "m[?k=='U'] | [0]", "path": "v", "exponent_path": "e"}, {"m": [{"k": "U", "v": 2301, "e": -1}]},
         (230.1, "")),
        ("power_active_import", {"path": "v", "exponent_path": "e"}, {"v": 3, "e": 3}, (3000, "")),
        # words
        ("spot_status", {"path": "s", "map": {"0": "free", "1": "occupied"}}, {"s": 1}, ("occupied", "")),
        ("spot_status", {"path": "s", "map": {"true": "occupied"}, "default": "unknown"}, {"s": 1}, ("unknown", "")),
        ("spot_status", {"path": "s", "map": {"true": "occupied"}, "default": "unknown"}, {"s": True}, ("occupied", "")),
        ("spot_status", {"path": "s", "map": {"0": "free"}, "default": "unknown"}, {"s": [0]}, (None, "not_understood")),
        ("spot_status", {"path": "s", "map": {"0": "free"}}, {"s": 7}, (None, "not_understood")),
        ("spot_status", {"path": "s"}, {"s": "flooded"}, (None, "out_of_range")),
        ("firmware_version", {"path": "f"}, {"f": "x" * 129}, (None, "out_of_range")),
        ("firmware_version", {"template": "{major}.{minor}"}, {"major": 2, "minor": 4}, ("2.4", "")),
        ("firmware_version", {"template": "{major}.{minor}"}, {"major": 2}, None),
        # flags
        ("tamper", {"path": "f", "mask": 4}, {"f": 6}, (True, "")),
        ("tamper", {"path": "f", "mask": 4}, {"f": 3}, (False, "")),
        ("tamper", {"path": "f", "mask": 4}, {"f": "6"}, (None, "not_understood")),
        ("tamper", {"path": "f", "contains": "TAMPER"}, {"f": "DRY TAMPER"}, (True, "")),
        ("tamper", {"path": "f", "contains": "TAMPER"}, {"f": "TAMPERED,DRY"}, (False, "")),
        ("tamper", {"path": "f", "contains": "TAMPER"}, {"f": ["DRY"]}, (False, "")),
        ("tamper", {"path": "f"}, {"f": "off"}, (False, "")),
        ("tamper", {"path": "f"}, {"f": 2}, (None, "not_understood")),
        # expressions
        ("fill_level", {"expr": "clamp((height - d) / height, 0, 1)", "unit": "1"}, {"d": 300}, (70, "")),
        ("fill_level", {"expr": "100 / d"}, {"d": 0}, None),
        ("fill_level", {"expr": "d + 1"}, {"d": "text"}, None),
        ("fill_level", {"path": "a.b", "expr": "x * 2"}, {"a": {"b": 20}}, (40, "")),
        ("fill_level", {"expr": "at('a.b') + 1", "when": "has('a.b')"}, {"a": {"b": 20}}, (21, "")),
        ("fill_level", {"path": "d", "when": "ok == 1"}, {"d": 5, "ok": 0}, None),
        ("fill_level", {"path": "d", "when": "ok == 1"}, {"d": 5}, None),
    ],
)  # fmt: skip
def test_metric(metric: str, spec: dict[str, Any], document: Any, wanted: Any) -> None:
    assert one(metric, spec, document, parameters={"height": 1000}) == wanted


def fields_of(codec: dict[str, Any], payload: bytes) -> Any:
    """What the codec decodes to, as text in one sample."""
    profile = profile_of(
        {"decode": codec, "readings": [{"metrics": {"meter_status": {"template": "{a}|{b}"}}}]}, envelope="bytes"
    )
    return samples(decode(profile, payload))["meter_status"].value


U8, U16 = {"name": "a", "type": "u8"}, {"name": "b", "type": "u16"}


@pytest.mark.parametrize(
    ("codec", "payload", "wanted"),
    [
        ({"kind": "struct", "fields": [U8, U16]}, "01 0203", "1|515"),
        ({"kind": "struct", "order": "little", "fields": [U8, U16]}, "01 0203", "1|770"),
        ({"kind": "struct", "fields": [U8, {**U16, "order": "little"}]}, "01 0203", "1|770"),
        ({"kind": "struct", "fields": [U8, U16]}, "01 02", "codec_refused"),
        ({"kind": "struct", "fields": [U8, U16]}, "01 0203 04", "codec_refused"),
        ({"kind": "struct", "length_min": 3, "fields": [U8, U16]}, "01 0203 04", "1|515"),
        ({"kind": "struct", "length": [4], "fields": [{**U8, "at": -1}, {**U16, "at": 0}]}, "0102 03 04", "4|258"),
        ({"kind": "struct", "length_min": 1, "fields": [{**U8, "at": -4}, U16]}, "01 02", "codec_refused"),
        ({"kind": "struct", "fields": [{"name": "a", "type": "s24"}, {"name": "b", "type": "u24", "scale": 0.001}]},
         "FFFFFE 0003E8", "-2|1.0"),
        ({"kind": "struct", "fields": [{"name": "a", "type": "bcd:2"}, {"type": "skip:1"}, {"name": "b", "type": "hex:2"}]},
         "1234 FF 0aBc", "1234|0ABC"),
        ({"kind": "struct", "fields": [{"name": "a", "type": "ascii:4"}, {"type": "u16"}, {"name": "b", "type": "s8"}]},
         "4142 0000 FFFF FF", "AB|-1"),
        ({"kind": "struct", "checks": [{"bytes": "68"}, {"length_at": 1, "adds": 2}], "fields": [U16, U8]}, "6801 05", "5|26625"),
        ({"kind": "struct", "checks": [{"length_at": 1, "adds": 9}], "fields": [U16, U8]}, "6801 05", "codec_refused"),
        ({"kind": "struct", "checks": [{"bytes": "69"}], "fields": [U16, U8]}, "6801 05", "codec_refused"),
        # checksums: "123456789" gives 0x4B37 (Modbus), 0x29B1 (CCITT), 0xDD (sum), 0x31 (xor)
        ({"kind": "struct", "checks": [{"crc16_modbus": [0, -2, -2]}], "length": [11], "fields": [U8, U16]},
         "313233343536373839 374B", "49|12851"),
        ({"kind": "struct", "checks": [{"crc16_modbus": [0, -2, -2], "order": "any"}], "length": [11], "fields": [U8, U16]},
         "313233343536373839 4B37", "49|12851"),
        ({"kind": "struct", "checks": [{"crc16_modbus": [0, -2, -2]}], "length": [11], "fields": [U8, U16]},
         "313233343536373839 4B37", "checksum_wrong"),
        ({"kind": "struct", "checks": [{"crc16_ccitt": [0, -2, -2], "order": "big"}], "length": [11], "fields": [U8, U16]},
         "313233343536373839 29B1", "49|12851"),
        ({"kind": "struct", "checks": [{"sum8": [0, 9, 9]}, {"xor8": [0, 9, -1]}], "length": [11], "fields": [U8, U16]},
         "313233343536373839 DD 31", "49|12851"),
        ({"kind": "struct", "checks": [{"sum8": [0, 9, 9]}], "length_min": 9, "fields": [U8, U16]},
         "313233343536373839", "checksum_wrong"),
        ({"kind": "tlv", "key_bytes": 1, "records": {"01": {"fields": [U8]}, "02": {"fields": [U16]}}}, "02 0003 01 04", "4|3"),
        ({"kind": "tlv", "key_bytes": 1, "records": {"01": {"fields": [U8]}}}, "01 04 09", "codec_refused"),
        ({"kind": "tlv", "key_bytes": 1, "length_bytes": 1, "records": {"01": {"fields": [U8]}, "02": {"fields": [U16]}}},
         "07 03 AABBCC 01 01 05 02 02 0006", "5|6"),
        ({"kind": "tlv", "key_bytes": 1, "length_bytes": 1, "records": {"01": {"fields": [U8]}}}, "01 02 0506", "codec_refused"),
        ({"kind": "tlv", "key_bytes": 1, "length_bytes": 1, "records": {"01": {"fields": [U8]}}}, "01 01 05 07 09 AA",
         "codec_refused"),
        ({"kind": "flagged", "fields": [{"name": "mask", "type": "u8"}], "blocks": [[U8], [], [U16]]}, "05 07 0008", "7|8"),
        ({"kind": "flagged", "fields": [{"name": "mask", "type": "u8"}], "blocks": [[U8], [U16]]}, "07 07 0008", "codec_refused"),
        ({"kind": "bits", "bits": [["a", 3], ["", 1], ["b", 12]]}, "B0FF", "5|255"),
        ({"kind": "bits", "bits": [["a", 4], ["b", 4]]}, "B0FF", "codec_refused"),
        ({"kind": "text", "pattern": r"T=(?P<a>-?\d+);H=(?P<b>\d+)"}, b"T=-3;H=40".hex(), "-3|40"),
        ({"kind": "text", "pattern": r"T=(?P<a>-?\d+)"}, b"T=-3;H=40".hex(), "codec_refused"),
    ],
)  # fmt: skip
def test_codec(codec: dict[str, Any], payload: str, wanted: str) -> None:
    try:
        found = fields_of(codec, bytes.fromhex(payload))
    except Undecodable as error:
        found = error.reason
    assert found == wanted


def test_records_to_the_end_become_readings_with_their_own_time() -> None:
    codec = {
        "kind": "struct",
        "fields": [{"type": "skip:1"}],
        "rest": {"list": "history", "fields": [{"name": "seconds", "type": "u32"}, {"name": "t", "type": "s16", "scale": 0.1}]},
    }  # fmt: skip
    message = {
        "decode": codec,
        "readings": [
            {"each": "history", "time": {"path": "seconds", "format": "unix_s"}, "metrics": {"temperature": {"path": "t"}}}
        ],
    }  # fmt: skip
    payload = bytes.fromhex("01 653D8940 00FB 653D8950 00FC")
    (part,) = decode(profile_of(message, envelope="bytes"), payload)
    times_and_values = [(reading.observed_ms, reading.samples[0].value) for reading in part.readings]
    assert times_and_values == [(1698531648000, 25.1), (1698531664000, 25.2)]


def test_a_history_whose_times_are_counted() -> None:
    message = {
        "readings": [
            {
                "each": "hours",
                "time": {"expr": "start - index * 3600", "format": "unix_s"},
                "metrics": {"water_volume": {"path": "@"}},
            }
        ]
    }
    (part,) = decode(profile_of(message), {"start": 1698531648, "hours": [12.5, 12.25]})
    assert [(reading.observed_ms, reading.samples[0].value) for reading in part.readings] == [
        (1698531648000, 12.5),
        (1698528048000, 12.25),
    ]
    (part,) = decode(profile_of(message), {"hours": [12.5]})
    assert part.readings[0].clock is Clock.GATEWAY


def test_an_envelope_of_ones_own() -> None:
    envelope = {"parse": "json", "bytes": "up.payload_hex", "encoding": "hex", "port": "up.port", "device": "up.eui"}
    message = {"when": "port == 2", "decode": {"kind": "struct", "fields": [U8]},
               "readings": [{"metrics": {"fan_speed": {"path": "a"}}}]}  # fmt: skip
    profile = profile_of(message, envelope=envelope, identity={"device": "{device}"})
    (part,) = decode(profile, {"up": {"payload_hex": "07", "port": 2, "eui": "e1"}})
    assert (part.device, part.readings[0].samples) == ("e1", (Sample("fan_speed", 7),))
    with pytest.raises(ProfileError, match="path"):
        ProfileSet([profile_of(message, envelope={**envelope, "port": "up["})])


def test_one_message_of_several_devices_named_by_their_keys() -> None:
    message = {
        "readings": [
            {"each": "meters", "device": "{dev}-{key}", "metrics": {"temperature": {"path": '"t:0"'}, "humidity": {"path": "h"}}}
        ]
    }  # fmt: skip
    decoded = decode(profile_of(message), {"meters": {"a": {"t:0": 20}, "b": {"t:0": 21, "h": 40}, "c": {}}})
    assert [(part.device, len(part.readings[0].samples)) for part in decoded] == [("dev-1-a", 1), ("dev-1-b", 2)]


def test_the_device_may_stand_anywhere_in_the_document() -> None:
    message = {"readings": [{"metrics": {"temperature": {"path": "t"}}}]}
    profile = profile_of(message, identity={"device": "{meta.serial}", "name": "{meta.label}"})
    (part,) = decode(profile, {"t": 20, "meta": {"serial": 4711, "label": "Hall"}})
    assert (part.device, part.name) == ("4711", "Hall")
    with pytest.raises(Undecodable) as refused:
        decode(profile, {"t": 20, "meta": {"serial": ["4711"]}})
    assert refused.value.reason == "device_unknown"
    with pytest.raises(Undecodable) as refused:
        decode(profile, {"t": 20, "meta": {"serial": "4" * 129}})
    assert refused.value.reason == "device_unknown"


@pytest.mark.parametrize(
    ("spec", "raw", "wanted"),
    [
        ({"format": "rfc3339"}, "2023-05-22T07:47:05.404Z", 1684741625404),
        ({"format": "rfc3339"}, "2023-05-22T09:47:05+02:00", 1684741625000),
        ({"format": "rfc3339", "zone": "Asia/Shanghai"}, "2023-05-22T15:47:05", 1684741625000),
        ({"format": "rfc3339", "zone": "Asia/Shanghai"}, "2023-05-22T07:47:05Z", 1684741625000),
        ({"format": "%Y%m%d%H%M%S", "zone": "Asia/Shanghai"}, "20230522154705", 1684741625000),
        ({"format": "unix_s"}, 1684741625, 1684741625000),
        ({"format": "unix_s"}, "1684741625", 1684741625000),
        ({"format": "unix_ms"}, 1684741625404, 1684741625404),
        ({"format": "unix_ms"}, None, None),
        ({"format": "rfc3339"}, "", None),
        ({"format": "rfc3339"}, "1970-01-01T00:00:00Z", "time_implausible"),
        ({"format": "unix_s"}, 4070908800, "time_implausible"),
        ({"format": "unix_s"}, 0, "time_implausible"),
        ({"format": "unix_ms"}, NOW_MS + 24 * 3_600_000, NOW_MS + 24 * 3_600_000),
        ({"format": "unix_ms"}, NOW_MS + 24 * 3_600_000 + 1, "time_implausible"),
        ({"format": "rfc3339"}, "yesterday", "time_invalid"),
        ({"format": "unix_s"}, [1], "time_invalid"),
        ({"format": "unix_s"}, 10**400, "time_invalid"),
    ],
)
def test_time(spec: dict[str, Any], raw: Any, wanted: int | str | None) -> None:
    profile = profile_of({"readings": [{"time": {"path": "at", **spec}, "metrics": {"temperature": {"path": "t"}}}]})
    try:
        ((reading,),) = (part.readings for part in decode(profile, {"t": 20, "at": raw}))
    except Undecodable as error:
        assert error.reason == wanted
        return
    assert (reading.observed_ms, reading.clock) == ((wanted, Clock.DEVICE) if wanted else (NOW_MS, Clock.GATEWAY))


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"{", "json_invalid"),
        (b"", "json_invalid"),
        (b'{"t": 20} x', "json_invalid"),
        (b"[" * 60_000, "json_invalid"),
        (b'{"t": NaN}', "not_finite"),
        (b'{"t": -Infinity}', "not_finite"),
        (b'{"t": 1e999}', "not_finite"),
        (b'{"t": 1, "t": 2}', "keys_duplicate"),
        (b'{"t": 1, "\\u0074": 2}', "keys_duplicate"),
        (b'{"t": "\xff"}', "utf8_invalid"),
        (b'{"t": 1}' + b" " * 70_000, "too_large"),
        (b'{"u": 1}', "nothing_read"),
        (b"7", "nothing_read"),
    ],
)
def test_what_no_one_can_read_is_refused_with_the_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(Undecodable) as refused:
        decode(profile_of({"readings": [{"metrics": {"temperature": {"path": "t"}}}]}), payload)
    assert refused.value.reason == reason


def test_when_may_ask_for_what_stands_deep_in_the_document() -> None:
    message = {"when": "at('a.kind') == 'air'", "readings": [{"metrics": {"temperature": {"path": "t"}}}]}
    assert samples(decode(profile_of(message), {"a": {"kind": "air"}, "t": 1}))
    with pytest.raises(Undecodable, match="no_profile"):
        decode(profile_of(message), {"a": {"kind": "water"}, "t": 1})


def test_an_unknown_topic_and_an_unknown_message_are_two_things() -> None:
    profile = profile_of({"when": "has('t')", "readings": [{"metrics": {"temperature": {"path": "t"}}}]})
    for topic, document, reason in (("other/dev-1", {"t": 1}, "topic_unknown"), (JSON_TOPIC, {}, "no_profile")):
        with pytest.raises(Undecodable) as refused:
            decode(profile, document, topic)
        assert refused.value.reason == reason


def test_the_most_telling_refusal_is_told() -> None:
    """Of a codec that refuses foreign bytes and a profile that knows the message but finds 1970 in it: the second."""
    foreign = profile_of(
        {"decode": {"kind": "struct", "fields": [U8]}, "readings": [{"metrics": {"fan_speed": {"path": "a"}}}]},
        profile={"id": "a/foreign", "version": 1, "kind": "building", "en": "A", "zh": "A"},
    )
    own = profile_of({"readings": [{"time": {"path": "at"}, "metrics": {"temperature": {"path": "t"}}}]})
    document = json.dumps({"t": 1, "at": "1970-01-01T00:00:00Z"}).encode()
    for profiles in ([foreign, own], [own, foreign]):
        with pytest.raises(Undecodable) as refused:
            ProfileSet(profiles).decode(JSON_TOPIC, document, NOW_MS)
        assert (refused.value.reason, refused.value.profile) == ("time_implausible", "made-up/model")


def test_topics_lead_to_the_most_literal_template() -> None:
    def at(topic: str, name: str) -> Profile:
        header = {"id": f"made-up/{name}", "version": 1, "kind": "building", "en": "A", "zh": "A"}
        message = {"readings": [{"metrics": {"temperature": {"path": "t"}}}]}
        return profile_of(message, profile=header, topics=[topic], identity={"device": "x"})

    profiles = ProfileSet([at("a/#", "rest"), at("a/{x}/c", "any"), at("a/bin-{x}/c", "bin"), at("a/b/c", "plain")])
    for topic, wanted in (("a/b/c", "plain"), ("a/x/c", "any"), ("a/x/y/z", "rest"), ("a", "rest")):
        (part,) = profiles.decode(topic, b'{"t": 1}', NOW_MS)
        assert part.profile == f"made-up/{wanted}"
    with pytest.raises(Undecodable, match="topic_unknown"):
        profiles.decode("b/x", b'{"t": 1}', NOW_MS)


def test_one_profile_reads_through_every_network_server() -> None:
    message = {"when": "port == 3", "decode": {"kind": "struct", "fields": [U8]},
               "readings": [{"metrics": {"fan_speed": {"path": "a"}}}]}  # fmt: skip
    profile = profile_of(
        message,
        envelope=["chirpstack4", "tts3", "loriot"],
        topics=[],
        identity={"device": "{device}", "name": "{name}"},
    )
    data = base64.b64encode(b"\x05").decode()
    uplinks = {
        "application/1/device/d1/event/up": {"deviceInfo": {"devEui": "d1", "deviceName": "N"}, "fPort": 3, "data": data},
        "v3/app@t/devices/n/up": {"end_device_ids": {"dev_eui": "d1"}, "uplink_message": {"f_port": 3, "frm_payload": data}},
        "loriot/app/d1/up": {"EUI": "d1", "port": 3, "data": "05"},
    }  # fmt: skip
    for topic, uplink in uplinks.items():
        (part,) = decode(profile, uplink, topic)
        assert (part.device, part.readings[0].samples) == ("d1", (Sample("fan_speed", 5),))
    with pytest.raises(Undecodable, match="codec_refused"):
        decode(profile, {"EUI": "d1", "port": 3, "data": "no hex"}, "loriot/app/d1/up")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"messages": [{"readings": [{"metrics": {"warmth": {"path": "t"}}}]}]}, "'warmth' is not in the vocabulary"),
        ({"messages": [{"readings": [{"metrics": {"temperature": {"path": "t", "unit": "W"}}}]}]}, "no conversion"),
        ({"messages": [{"readings": [{"metrics": {"temperature": {"path": "t["}}}]}]}, "path"),
        ({"messages": [{"readings": [{"metrics": {"temperature": {"expr": "t.x"}}}]}]}, "not allowed"),
        ({"messages": [{"readings": [{"metrics": {"temperature": {}}}]}]}, "one of path, expr"),
        ({"messages": [{"readings": [{"metrics": {"tamper": {"path": "t", "valid": [0, 1]}}}]}]}, "range of numbers"),
        ({"messages": [{"readings": [{"metrics": {"spot_status": {"path": "t", "map": {"0": "empty"}}}}]}]}, "'empty'"),
        ({"messages": [{"readings": [{}]}]}, "either 'metrics' or"),
        ({"messages": [{"when": "t ==", "readings": [{"metrics": {"tamper": {"path": "t"}}}]}]}, "not an expression"),
        ({"messages": [{"envelope": "parcel", "readings": [{"metrics": {"tamper": {"path": "t"}}}]}]}, "unknown envelope"),
        ({"topics": ["a/+/b"]}, "capture"),
        ({"topics": []}, "no topics"),
        ({"identity": {"device": "{a[}"}}, "path"),
        ({"commands": {"explode": {"topic": "a/{device}", "body": 1}}}, "not one of the verbs"),
        ({"commands": {"open_valve": {"topic": "a/b", "body": 1}}}, "{device}"),
        ({"commands": {"set_temperature": {"topic": "a/{device}", "body": 1}}}, "arguments"),
        ({"messages": [{"decode": {"kind": "struct", "fields": [{"name": "a", "type": "u12"}]},
                        "readings": [{"metrics": {"fan_speed": {"path": "a"}}}]}]}, "unknown field type"),
        ({"messages": [{"decode": {"kind": "text", "pattern": "("},
                        "readings": [{"metrics": {"fan_speed": {"path": "a"}}}]}]}, "unterminated"),
        ({"messages": [{"decode": {"kind": "tlv", "records": {"01": {"fields": []}}},
                        "readings": [{"metrics": {"fan_speed": {"path": "a"}}}]}]}, "2 bytes"),
        ({"messages": [{"readings": [{"time": {"path": "t", "zone": "Mars/Base"}, "metrics": {"tamper": {"path": "t"}}}]}]},
         "unknown zone"),
        ({"messages": [{"readings": [{"time": {"path": "t", "format": "iso"}, "metrics": {"tamper": {"path": "t"}}}]}]},
         "unknown time format"),
    ],
)  # fmt: skip
def test_a_wrong_profile_is_refused_and_says_where(change: dict[str, Any], said: str) -> None:
    profile = profile_of({"readings": [{"metrics": {"temperature": {"path": "t"}}}]}, **change)
    with pytest.raises(ProfileError) as error:
        ProfileSet([profile])
    assert said in error.value.message
    assert error.value.place.startswith("$.")


GOOD = """
profile: {id: made-up/model, version: 1, kind: building, en: Made up, zh: 虚构}
topics: ["made-up/{dev}/state"]
identity: {device: "{dev}"}
messages: [{readings: [{metrics: {temperature: {path: t}}}]}]
examples: [{topic: made-up/dev-1/state, payload: {t: 20}, expect: {temperature: 20}}]
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("t: 20}", "t: 21}"), "examples[0]: temperature is 21, not 20"),
        (GOOD.replace("path: t", "pth: t"), "messages[0].readings[0].metrics.temperature.pth: there is no key"),
        (GOOD.replace("kind: building", "kind: garden"), ":2: profile.kind"),
        (GOOD.replace("expect: {temperature: 20}", "refused: no_profile"), "is not refused as no_profile"),
        (GOOD.replace(", expect: {temperature: 20}", ""), "expects nothing"),
        (GOOD.replace("payload: {t: 20}", 'hex: "0g"'), "hexadecimal"),
        (GOOD.replace("payload: {t: 20}", "payload: {t: 20}, device: dev-2"), "device is 'dev-1', not 'dev-2'"),
        (GOOD.replace("payload: {t: 20}", "payload: {t: 20}, observed_at_ms: 5"), "is observed at"),
        ("a: [", "not YAML"),
        ("7", "Expected `object`"),
    ],
)
def test_the_check_says_what_is_wrong_and_where(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "made-up.yaml"
    file.write_text(text, encoding="utf-8")
    (problem,) = check_files([file])
    assert said in problem and str(file) in problem
    with pytest.raises(ProfileError):
        load_with_own(file)


def test_a_sites_own_profile_replaces_the_shipped_one(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(GOOD.replace("made-up/model", "linli/valve"), encoding="utf-8")
    profiles = load_with_own(tmp_path)
    assert profiles.profiles["linli/valve"].profile.en == "Made up"
    assert len(profiles.profiles) == len(load_with_own(None).profiles)
    assert check_files([tmp_path / "absent.yaml"])
    assert check_profile(profiles.profiles["linli/valve"]) == []


def test_commands_become_messages() -> None:
    profiles = load_with_own(None)
    action = profiles.action("linli/thermostat", "t-1", "set_temperature", {"temperature": 21.5})
    assert (action.topic, action.payload) == ("linli-device/thermostat/t-1/set", b'{"setpoint_temperature":21.5}')
    assert (action.qos, action.retain) == (1, False)
    assert action.confirm is not None
    assert (action.confirm.metric, action.confirm.equals) == ("setpoint_temperature", 21.5)
    assert profiles.is_spoken(action.topic)
    for profile, device, verb, args, reason in (
        ("no/profile", "t-1", "set_temperature", {"temperature": 20}, "profile_unknown"),
        ("linli/thermostat", "t-1", "open_barrier", {}, "verb_unsupported"),
        ("linli/thermostat", "t-1", "set_temperature", {}, "arguments_invalid"),
        ("linli/thermostat", "t-1", "set_temperature", {"temperature": 99}, "arguments_invalid"),
        ("linli/thermostat", "t-1", "set_temperature", {"temperature": 20, "fast": 1}, "arguments_invalid"),
        ("linli/thermostat", "t/#", "set_temperature", {"temperature": 20}, "device_invalid"),
    ):
        with pytest.raises(ActionRefused) as refused:
            profiles.action(profile, device, verb, args)
        assert refused.value.reason == reason


def test_too_much_in_one_message_is_refused() -> None:
    profile = profile_of({"readings": [{"each": "@", "metrics": {"temperature": {"path": "@"}}}]})
    assert len(decode(profile, [1] * 1024)[0].readings) == 1024
    with pytest.raises(Undecodable, match="too_many_readings"):
        decode(profile, [1] * 1025)
    open_reading = profile_of({"readings": [{"metrics_from": "@"}]})
    with pytest.raises(Undecodable, match="too_many_samples"):
        decode(open_reading, {f"metric_{number}": 1 for number in range(65)})


def test_aliases_may_stand_in_a_profile_but_not_grow_it_beyond_bounds() -> None:
    ten = "\n".join(f"- &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 8))
    (fault,) = faults_of(f"- &a0 [1]\n{ten}\n".encode())
    assert "aliases" in fault.message
    (fault,) = faults_of(b"&itself [*itself]")
    assert "aliases" in fault.message
