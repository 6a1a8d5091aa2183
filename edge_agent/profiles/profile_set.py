"""All profiles of a gateway, loaded and compiled: the door through which messages become readings."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

import contracts
from contracts.profile import Envelope, Profile
from edge_agent.profiles.actions import Action, check_command, make_action
from edge_agent.profiles.envelopes import PAYLOAD_BYTES_MAX, Message, Open, compile_envelope
from edge_agent.profiles.errors import ActionRefused, ProfileError, Undecodable
from edge_agent.profiles.messages import CompiledMessage, Decoded
from edge_agent.profiles.topics import Template, Trie

SHIPPED = Path(contracts.__file__).parent / "profiles"
"""The folder of the profiles that come with Linli."""
ENVELOPES_FILE = "envelopes.yaml"
ROUTES_MAX = 20_000
"""Topics whose last reader is remembered."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_profiles(paths: Iterable[Path]) -> list[Profile]:
    """Read profile documents: files, or folders of ``*.yaml``. Raises ProfileError."""
    profiles = []
    for path in paths:
        files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
        profiles += [_load(file) for file in files if file.name != ENVELOPES_FILE]
    return profiles


def _load(file: Path) -> Profile:
    try:
        document = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)
        return msgspec.convert(document, Profile)
    except OSError as error:
        raise ProfileError(str(file), "", error.strerror or str(error)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ProfileError(str(file), "", f"not YAML: {error}") from error
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `")
        raise ProfileError(str(file), place.rstrip("`"), message) from error


def load_envelopes() -> Mapping[str, Open]:
    """The shared envelopes, compiled."""
    document = yaml.load((SHIPPED / ENVELOPES_FILE).read_text(encoding="utf-8"), Loader=_Loader)
    return {
        name: compile_envelope(name, envelope)
        for name, envelope in msgspec.convert(document, dict[str, Envelope]).items()
    }


class ProfileSet:
    """Compiled profiles. A message goes to the profiles whose topic it fits; the first that accepts it reads it."""

    def __init__(self, profiles: Iterable[Profile]) -> None:
        """Compile. Raises ProfileError naming the profile and the place."""
        self.profiles = {profile.profile.id: profile for profile in profiles}
        self._trie: Trie[CompiledMessage] = Trie()
        self._spoken: Trie[str] = Trie()
        self._routes: dict[str, tuple[CompiledMessage, dict[str, str]]] = {}  # topic -> who read it last
        envelopes = load_envelopes()
        for profile in self.profiles.values():
            self._add(profile, envelopes)

    @classmethod
    def load(cls, paths: Iterable[Path]) -> "ProfileSet":
        """Load and compile profile files and folders. Raises ProfileError."""
        return cls(load_profiles(paths))

    def _add(self, profile: Profile, envelopes: Mapping[str, Open]) -> None:
        name = profile.profile.id
        for place, spec in enumerate(profile.messages):
            where = f"$.messages[{place}]"
            open_ = envelopes.get(spec.envelope or profile.envelope)
            if open_ is None:
                raise ProfileError(name, where, f"unknown envelope {spec.envelope or profile.envelope!r}")
            topics = spec.topics or profile.topics
            if not topics:
                raise ProfileError(name, where, "no topics")
            try:
                message = CompiledMessage(profile, spec, open_)
                for topic in topics:
                    self._trie.add(Template(topic), message)
            except ValueError as error:  # also PathError and ExpressionError
                raise ProfileError(name, where, str(error)) from error
        for verb, command in profile.commands.items():
            if fault := check_command(verb, command):
                raise ProfileError(name, f"$.commands.{verb}", fault)
            self._spoken.add(Template(command.topic), verb)

    def decode(self, topic: str, payload: bytes, received_ms: int) -> tuple[Decoded, ...]:
        """Read one message.

        topic, payload  as published; received_ms: gateway's clock, ms UTC
        Returns one Decoded for each device that the message speaks of. Raises Undecodable.
        """
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise Undecodable("too_large", f"{len(payload)} bytes, {PAYLOAD_BYTES_MAX} at most")
        message = Message(topic, payload)
        if (known := self._routes.get(topic)) is not None:
            try:
                return known[0].decode(message, known[1], received_ms)
            except Undecodable:
                pass  # another kind of message of this device: ask them all
        refusal: Undecodable | None = None
        for target, captures in self._trie.find(topic):
            try:
                decoded = target.decode(message, captures, received_ms)
            except Undecodable as error:
                if refusal is None or refusal.reason == "no_profile":
                    refusal = error
                continue
            if len(self._routes) >= ROUTES_MAX:
                self._routes.clear()
            self._routes[topic] = (target, captures)
            return decoded
        raise refusal or Undecodable("topic_unknown", topic[:200])

    def is_spoken(self, topic: str) -> bool:
        """Whether this is a topic on which devices are told something, by us or by others: not a reading."""
        return next(self._spoken.find(topic), None) is not None

    def action(self, profile: str, device: str, verb: str, args: Mapping[str, Any]) -> Action:
        """What to publish so that the device carries out the verb. Raises ActionRefused."""
        known = self.profiles.get(profile)
        if known is None:
            raise ActionRefused("profile_unknown", profile)
        command = known.commands.get(verb)
        if command is None:
            raise ActionRefused("verb_unsupported", f"{profile} can't {verb}")
        return make_action(command, device, verb, args)
