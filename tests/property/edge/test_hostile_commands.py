"""F44: 10,000 messages of somebody who may publish as the cloud and has not its key: none acts. Genuine ones between do."""

import asyncio
import random
from collections import Counter
from contextlib import nullcontext, suppress
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.messages import Command, DesiredState
from contracts.profile_signature import sign
from contracts.signature import SIGNATURE_BYTES, fault_of_seal, key_id, seal
from edge_agent.downlink import Authenticity, Executor, Outcome
from edge_agent.outbox import Outbox
from edge_agent.outbox.batch import SeenDevice
from edge_agent.outbox.writer import OutboxWriter
from edge_agent.profiles import ProfileSet
from edge_agent.profiles.check import load_with_own
from edge_agent.uplink.session import UNREADABLE

GATEWAY = "gw-1"
T0 = 1_795_000_000_000
HOSTILE = 10_000
OURS, NEXT, FOREIGN = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2, 3))
KEYS = [OURS.public_key(), NEXT.public_key()]


@pytest.fixture(scope="module")
def profiles() -> ProfileSet:
    return load_with_own(None)


class Gateway:
    """The real way of a command, from its bytes to the device, whose side only notes what it is told."""

    def __init__(self, folder: Path, profiles: ProfileSet) -> None:
        self.acts: list[tuple[str, bytes]] = []
        self.refused: Counter[str] = Counter()
        self.steady_ms = 1_000_000
        self.outbox = Outbox(folder / "outbox.sqlite", GATEWAY, 50_000_000, lambda: T0)
        self.writer = OutboxWriter(
            self.outbox, 0, 1, lambda batch, frames: None, lambda place: None, lambda: None, nullcontext
        )
        valves = {name: SeenDevice(name, "linli/valve", 1, "building", ("close_valve",), "") for name in ("a", "b")}
        self.executor = Executor(
            profiles, self.writer, valves, self.told, lambda: T0, lambda: self.steady_ms, lambda place: None, lambda: 0
        )
        self.authenticity = Authenticity(GATEWAY, lambda: KEYS, self.refuse)

    async def told(self, topic: str, payload: bytes, qos: int, retain: bool) -> Outcome | None:
        self.acts.append((topic, payload))
        return Outcome("succeeded")

    def refuse(self, topic: str, payload: bytes, reason: str, detail: str) -> None:
        self.refused[reason] += 1

    def take(self, payload: bytes) -> None:
        """As the uplink's session and the agent do."""
        try:
            command = msgspec.msgpack.decode(payload, type=Command)
        except UNREADABLE:
            self.refused["unreadable"] += 1
            return
        if not self.authenticity.fault_of_command(command, payload):
            self.executor.submit(command)

    async def settled(self) -> None:
        """Returns when nothing is in hand any more."""
        while self.executor._in_hand or not self.executor._inbox.empty():
            await asyncio.sleep(0)
        await self.writer.insist(self.outbox.command, "")  # a repeat that was read last is answered

    async def over(self, *messages: bytes) -> None:
        """Take these, from the agent's start to its end."""
        running = [asyncio.create_task(self.writer.run()), asyncio.create_task(self.executor.run())]
        for number, message in enumerate(messages):
            self.take(message)
            if number % 200 == 199:
                await self.settled()
        await self.settled()
        for task in reversed(running):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self.outbox.close()


def command(name: str, device: str = "a", **more: object) -> Command:
    wanted = {
        "command_id": name, "device": device, "verb": "close_valve", "ttl_ms": 60_000, "issuer": "i", "issued_ms": T0,
        "sent_ms": T0, "gateway": GATEWAY,
    }  # fmt: skip
    return msgspec.convert(wanted | more, Command)


def hostile(chance: random.Random, number: int, genuine: list[bytes]) -> bytes:
    """One message that must not act."""
    fresh = command(f"cmd-hostile-{number}")
    stolen = chance.choice(genuine)
    match number % 12:
        case 0:  # never signed
            return msgspec.msgpack.encode(fresh)
        case 1:  # signed by another key
            return seal(fresh, FOREIGN)
        case 2:  # ... that calls itself ours
            named = msgspec.structs.replace(fresh, key_id=key_id(OURS.public_key()), signature=chance.randbytes(64))
            return msgspec.msgpack.encode(named)
        case 3:  # another device under a signature that was seen
            return stolen.replace(b"\xa6device\xa1a", b"\xa6device\xa1b")
        case 4:  # a bit of the message
            at = chance.randrange(len(stolen) - SIGNATURE_BYTES)
            return stolen[:at] + bytes([stolen[at] ^ (1 << chance.randrange(8))]) + stolen[at + 1 :]
        case 5:  # a bit of the signature
            at = len(stolen) - 1 - chance.randrange(SIGNATURE_BYTES)
            return stolen[:at] + bytes([stolen[at] ^ (1 << chance.randrange(8))]) + stolen[at + 1 :]
        case 6:  # a true signature over something else of ours
            other = seal(DesiredState(version=number, gateway=GATEWAY), OURS)
            named = msgspec.structs.replace(fresh, key_id=key_id(OURS.public_key()), signature=other[-SIGNATURE_BYTES:])
            return msgspec.msgpack.encode(named)
        case 7:  # another gateway's, truly signed
            return seal(msgspec.structs.replace(fresh, gateway="gw-2"), OURS)
        case 8:  # kept back until its time was over, truly signed
            return seal(msgspec.structs.replace(fresh, sent_ms=T0 - 60_001 - chance.randrange(10**9)), OURS)
        case 9:  # a field more behind the signature, and a map that is longer by one
            return bytes([stolen[0] + 1]) + stolen[1:] + msgspec.msgpack.encode("ttl_ms") + msgspec.msgpack.encode(9)
        case 10:  # the order to a profile's signature
            word = sign("m/a", number, msgspec.msgpack.encode(fresh), OURS).signature
            named = msgspec.structs.replace(fresh, key_id=key_id(OURS.public_key()), signature=word)
            return msgspec.msgpack.encode(named)
        case _:  # said again as it was
            return stolen


def test_of_ten_thousand_hostile_commands_none_acts(tmp_path: Path, profiles: ProfileSet) -> None:
    chance = random.Random(4_400)
    genuine = [seal(command(f"cmd-{number}"), (OURS, NEXT)[number % 2]) for number in range(100)]
    messages = list(genuine)
    messages += [hostile(chance, number, genuine) for number in range(HOSTILE)]
    half = len(messages) // 2
    first = Gateway(tmp_path, profiles)
    asyncio.run(first.over(*messages[:half]))
    second = Gateway(tmp_path, profiles)  # the agent starts again: what it has carried out it knows from its disk
    late = seal(command("cmd-last", "b"), OURS)
    asyncio.run(second.over(*messages[half:], late))
    assert [topic for topic, _ in first.acts] == ["linli-device/valve/a/set"] * len(genuine), "each genuine one once"
    assert [topic for topic, _ in second.acts] == ["linli-device/valve/b/set"]
    why = first.refused + second.refused
    assert why["signature_missing"] >= HOSTILE // 12 and why["key_unknown"] >= HOSTILE // 12
    assert why["signature_wrong"] >= 5 * HOSTILE // 12 and why["for_another_gateway"] == HOSTILE // 12
    with_signature_right = HOSTILE - why.total()  # expired ones and repetitions: judged after, and acted on no more
    assert with_signature_right == pytest.approx(2 * HOSTILE / 12, abs=3)


def test_a_key_that_cant_be_used_is_no_leave_to_do_without() -> None:
    unsigned = command("cmd")
    payload = msgspec.msgpack.encode(unsigned)
    refused: list[str] = []

    def gate(keys: list[object] | None) -> Authenticity:
        return Authenticity(GATEWAY, lambda: keys, lambda *why: refused.append(why[2]))  # type: ignore[arg-type, return-value]

    assert gate(None).fault_of_command(unsigned, payload) == ""  # no key was ever given: a development site
    assert gate([]).fault_of_command(unsigned, payload) == "signature_missing"
    assert gate([]).fault_of_command(*sealed(unsigned)) == "no_cloud_key"
    assert refused == ["signature_missing", "no_cloud_key"]


def sealed(message: Command) -> tuple[Command, bytes]:
    payload = seal(message, OURS)
    return msgspec.msgpack.decode(payload, type=Command), payload


def test_the_desired_state_is_the_clouds_and_never_goes_back() -> None:
    refused: list[str] = []
    gate = Authenticity(GATEWAY, lambda: KEYS, lambda topic, payload, reason, detail: refused.append(reason))

    def said(document: DesiredState, key: Ed25519PrivateKey | None, used: int) -> str:
        payload = seal(document, key) if key else msgspec.msgpack.encode(document)
        return gate.fault_of_desired(msgspec.msgpack.decode(payload, type=DesiredState), payload, used)

    five = DesiredState(version=5, gateway=GATEWAY)
    assert said(five, OURS, 4) == said(five, NEXT, 5) == ""
    assert said(five, OURS, 6) == "version_older"
    assert said(five, FOREIGN, 4) == "key_unknown"
    assert said(five, None, 4) == "signature_missing"
    assert said(DesiredState(version=5, gateway="gw-2"), OURS, 4) == "for_another_gateway"
    assert refused == ["version_older", "key_unknown", "signature_missing", "for_another_gateway"]


def test_a_reader_of_an_earlier_version_reads_it_as_ever_and_a_later_versions_fields_are_signed_too() -> None:
    class Earlier(msgspec.Struct, kw_only=True):
        command_id: str
        device: str

    payload = seal(command("cmd"), OURS)
    assert msgspec.msgpack.decode(payload, type=Earlier).command_id == "cmd"
    later = {
        "from_later": [1],
        **msgspec.to_builtins(msgspec.msgpack.decode(payload, type=Command), builtin_types=(bytes,)),
    }
    body = msgspec.msgpack.encode(later)[:-SIGNATURE_BYTES]
    resigned = body + OURS.sign(b"linli command\0" + body)
    assert fault_of_seal(msgspec.msgpack.decode(resigned, type=Command), resigned, GATEWAY, KEYS) == ""
