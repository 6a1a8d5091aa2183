"""All profiles of a gateway, loaded and compiled: the door through which messages become readings."""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import yaml

import contracts
from contracts.messages import DesiredDevice
from contracts.profile import Envelope, Profile
from edge_agent.profiles.actions import Action, check_command, make_action
from edge_agent.profiles.envelopes import PAYLOAD_BYTES_MAX, Message, Open, compile_envelope
from edge_agent.profiles.errors import ActionRefused, ProfileError, Undecodable
from edge_agent.profiles.foreign import told_on
from edge_agent.profiles.guard import SLOW_NS, Guard
from edge_agent.profiles.messages import CompiledMessage, Decoded
from edge_agent.profiles.topics import Template, Trie

SHIPPED = Path(contracts.__file__).parent / "profiles"
"""The folder of the profiles that come with Linli."""
ENVELOPES_FILE = "envelopes.yaml"
log = logging.getLogger(__name__)

ROUTES_MAX = 20_000
"""Topics whose readers are remembered."""
READERS_MAX = 8
"""Readers remembered of one topic: the kinds of message of one device."""
_WEIGHT = {"codec_refused": 0, "nothing_read": 1}
"""Of several refusals the one that says most is told: other reasons come from a profile that knew the message."""

_Candidate = tuple[CompiledMessage, dict[str, str]]
_Binding = tuple[str, str, tuple[str, ...]]
"""Profile, device, and the verbs that it can be told on its foreign topics."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_profiles(paths: Iterable[Path]) -> list[Profile]:
    """Read profile documents: files, or folders of ``*.yaml``. Raises ProfileError."""
    return [_load(file) for file in profile_files(paths)]


def profile_files(paths: Iterable[Path]) -> list[Path]:
    """The files that these files and folders (of ``*.yaml``) are; the shared envelopes beside profiles are none."""
    files = [file for path in paths for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]
    return [file for file in files if file.name != ENVELOPES_FILE]


def _load(file: Path) -> Profile:
    try:
        return parse_profile(file.read_bytes(), str(file))
    except OSError as error:
        raise ProfileError(str(file), "", error.strerror or str(error)) from error


def parse_profile(document: bytes, name: str) -> Profile:
    """A profile's YAML (or JSON, which is YAML). name: for the error. Raises ProfileError."""
    try:
        return msgspec.convert(yaml.load(document.decode(), Loader=_Loader), Profile)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ProfileError(name, "", f"not YAML: {error}") from error
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `")
        raise ProfileError(name, place.rstrip("`"), message) from error


class _KnownEnvelope(NamedTuple):
    open: Open
    topics: list[str]


@cache
def load_envelopes() -> Mapping[str, _KnownEnvelope]:
    """The shared envelopes, compiled, with their usual topics."""
    document = yaml.load((SHIPPED / ENVELOPES_FILE).read_text(encoding="utf-8"), Loader=_Loader)
    return {
        name: _KnownEnvelope(compile_envelope(name, envelope), envelope.topics)
        for name, envelope in msgspec.convert(document, dict[str, Envelope]).items()
    }


class ProfileSet:
    """Compiled profiles. A message goes to the profiles whose topic it fits; the first that accepts it reads it."""

    def __init__(self, profiles: Iterable[Profile], guard: Guard | None = None) -> None:
        """Compile. Raises ProfileError naming the profile and the place."""
        self.guard = guard or Guard()
        self.profiles = {profile.profile.id: profile for profile in profiles}
        self.readers: list[CompiledMessage] = []
        self._trie: Trie[CompiledMessage] = Trie()
        self._spoken: Trie[str] = Trie()
        self._routes: dict[str, list[_Candidate]] = {}  # topic -> who has read it, first come first
        self._parameters: dict[str, Mapping[str, float]] = {}  # device -> its own; every message of the set sees them
        self._chosen: dict[str, str] = {}  # device -> the profile that is to read it
        self._bound: dict[str, list[CompiledMessage]] = {}  # foreign topic -> who reads it
        self._bound_readers: dict[_Binding, list[CompiledMessage]] = {}  # the same; compiled once
        self._topics: dict[str, list[str]] = {}  # profile -> topics of its messages
        self._told: dict[tuple[str, str], str] = {}  # (device on a foreign topic, verb) -> where it is told
        envelopes = load_envelopes()
        for profile in self.profiles.values():
            self._add(profile, envelopes)

    @classmethod
    def load(cls, paths: Iterable[Path]) -> "ProfileSet":
        """Load and compile profile files and folders. Raises ProfileError."""
        return cls(load_profiles(paths))

    def _add(self, profile: Profile, envelopes: Mapping[str, _KnownEnvelope]) -> None:
        name = profile.profile.id
        for place, spec in enumerate(profile.messages):
            where = f"$.messages[{place}]"
            for word in _several(spec.envelope or profile.envelope):
                try:
                    envelope = _own_envelope(word) if isinstance(word, Envelope) else envelopes.get(word)
                except ValueError as error:
                    raise ProfileError(name, where, str(error)) from error
                if envelope is None:
                    raise ProfileError(name, where, f"unknown envelope {word!r}")
                topics = spec.topics or profile.topics or envelope.topics
                if not topics:
                    raise ProfileError(name, where, "no topics")
                try:
                    templates = [Template(topic) for topic in topics]
                    self._topics.setdefault(name, []).extend(topics)
                    captured = {name for template in templates for name in template.names}
                    message = CompiledMessage(profile, spec, envelope.open, captured, self._parameters, self.guard)
                    for template in templates:
                        self._trie.add(template, message)
                    self.readers.append(message)
                except (ValueError, re.error) as error:  # also PathError and ExpressionError
                    raise ProfileError(name, where, str(error)) from error
        for verb, command in profile.commands.items():
            if fault := check_command(verb, command):
                raise ProfileError(name, f"$.commands.{verb}", fault)
            self._spoken.add(Template(command.topic), verb)

    @property
    def bound(self) -> Set[str]:
        """Foreign topics that a device's profile reads."""
        return self._bound.keys()

    def use_devices(self, devices: Iterable[DesiredDevice]) -> None:
        """Read these devices with their own parameters, with the profile that was chosen for them, on their topics too."""
        self._parameters.clear()
        self._chosen.clear()
        self._bound.clear()
        self._told.clear()
        before, self._bound_readers = self._bound_readers, {}
        for device in devices:
            if device.parameters:
                self._parameters[device.device] = device.parameters
            if device.profile:
                self._chosen[device.device] = device.profile
            if device.topics and device.profile in self.profiles:
                key = device.profile, device.device, self._listen(device)
                readers = before.get(key) or [
                    reader.bound_to(device.device, key[2]) for reader in self.readers if reader.id == device.profile
                ]
                self._bound_readers[key] = readers
                self._bound.update(dict.fromkeys(device.topics, readers))

    def _listen(self, device: DesiredDevice) -> tuple[str, ...]:
        """The verbs that this device can be told on its foreign topics; notes where."""
        profile = self.profiles[device.profile]
        for verb, command in profile.commands.items():
            for topic in device.topics:
                if told := told_on(command.topic, self._topics[device.profile], profile.identity.device, topic):
                    self._told.setdefault((device.device, verb), told)
        return tuple(sorted(verb for name, verb in self._told if name == device.device))

    def decode(self, topic: str, payload: bytes, received_ms: int) -> tuple[Decoded, ...]:
        """Read one message.

        topic, payload  as published; received_ms: gateway's clock, ms UTC
        Returns one Decoded for each device that the message speaks of. Raises Undecodable.
        """
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise Undecodable("too_large", f"{len(payload)} bytes, {PAYLOAD_BYTES_MAX} at most")
        message = Message(topic, payload)
        if self._bound and (bound := self._bound.get(topic)):
            return self._read_bound(bound, message, received_ms)
        readers = self._routes.get(topic)
        if readers is not None:
            for target, captures in readers:
                try:
                    decoded = self._decode(target, message, captures, received_ms)
                except Undecodable as error:
                    if error.reason == "profile_too_slow":
                        raise  # once is enough
                    continue  # asked again below, where the refusals are weighed
                if decoded is not None:
                    return self._by_choice(decoded, message, received_ms) if self._chosen else decoded
        decoded = self._ask_all(message, received_ms)
        return self._by_choice(decoded, message, received_ms) if self._chosen else decoded

    def _by_choice(self, decoded: tuple[Decoded, ...], message: Message, received_ms: int) -> tuple[Decoded, ...]:
        """What the profile reads that was chosen for this device, where it can read this message too."""
        chosen = self._chosen.get(decoded[0].device, decoded[0].profile)
        if chosen == decoded[0].profile or chosen not in self.profiles:
            return decoded
        for target, captures in self._trie.find(message.topic):
            if target.profile.profile.id == chosen:
                try:
                    instead = self._decode(target, message, captures, received_ms)
                except Undecodable:
                    continue
                if instead is not None and instead[0].device == decoded[0].device:
                    return instead
        return decoded

    def _read_bound(self, readers: list[CompiledMessage], message: Message, received_ms: int) -> tuple[Decoded, ...]:
        refusal = Undecodable("bound_profile_unfit", "the profile of this topic knows no such message", readers[0].id)
        for reader in readers:
            try:
                decoded = self._decode(reader, message, dict.fromkeys(reader.captures, reader.device), received_ms)
            except Undecodable as error:
                refusal = error
                continue
            if decoded is not None:
                return decoded
        raise refusal

    def _decode(
        self, target: CompiledMessage, message: Message, captures: dict[str, str], received_ms: int
    ) -> tuple[Decoded, ...] | None:
        """Within the guard of the profile. Raises Undecodable, and nothing else."""
        guard = self.guard
        if guard.rests and (left_s := guard.rests_s(target.id)):
            raise Undecodable("profile_suspended", f"it was too slow; it is tried again in {left_s} s", target.id)
        began_ns = guard.steady_ns()
        if began_ns > guard.marked_until_ns:
            guard.mark(began_ns)
        try:
            return target.decode(message, captures, received_ms)
        except Undecodable:
            raise
        except Exception as error:  # a mistake of ours; it costs this message and no other
            log.exception("a decoder failed", extra={"profile": target.id})
            raise Undecodable("profile_failed", f"{type(error).__name__}: {error}"[:200], target.id) from error
        finally:
            if guard.steady_ns() - began_ns > SLOW_NS and (took_ns := guard.worked_ns(began_ns)) > SLOW_NS:
                guard.strike(target.id)
                took = {"profile": target.id, "took_ms": took_ns // 1_000_000, "rests_s": guard.rests_s(target.id)}
                log.error("a profile takes too long", extra=took)

    def _ask_all(self, message: Message, received_ms: int) -> tuple[Decoded, ...]:
        refusal: Undecodable | None = None
        asked = None
        for candidate in self._trie.find(message.topic):
            asked, captures = candidate
            try:
                decoded = self._decode(asked, message, captures, received_ms)
            except Undecodable as error:
                if refusal is None or _WEIGHT.get(error.reason, 2) > _WEIGHT.get(refusal.reason, 2):
                    refusal = error
                continue
            if decoded is not None:
                self._remember(message.topic, candidate)
                return decoded
        if refusal is not None:
            raise refusal
        if asked is None:
            raise Undecodable("topic_unknown", message.topic[:200])
        raise Undecodable("no_profile", "no profile of this topic knows such a message", asked.profile.profile.id)

    def _remember(self, topic: str, candidate: _Candidate) -> None:
        if len(self._routes) >= ROUTES_MAX:
            self._routes.clear()
        readers = self._routes.setdefault(topic, [])
        if len(readers) < READERS_MAX:
            readers.append(candidate)

    def is_spoken(self, topic: str) -> bool:
        """Whether this is a topic on which devices are told something, by us or by others: not a reading."""
        return topic in self._told.values() or next(self._spoken.find(topic), None) is not None

    def action(self, profile: str, device: str, verb: str, args: Mapping[str, Any]) -> Action:
        """What to publish so that the device carries out the verb. Raises ActionRefused."""
        known = self.profiles.get(profile)
        if known is None:
            raise ActionRefused("profile_unknown", profile)
        command = known.commands.get(verb)
        if command is None:
            raise ActionRefused("verb_unsupported", f"{profile} can't {verb}")
        if told := self._told.get((device, verb)):
            command = msgspec.structs.replace(command, topic=told)
        return make_action(command, device, verb, args)


def _several(words: str | list[str] | Envelope) -> Sequence[str | Envelope]:
    return words if isinstance(words, list) else [words]


def _own_envelope(envelope: Envelope) -> _KnownEnvelope:
    """One that the profile describes itself. Messages remember what they opened by name: so it has one of its own."""
    return _KnownEnvelope(compile_envelope(repr(envelope), envelope), envelope.topics)
