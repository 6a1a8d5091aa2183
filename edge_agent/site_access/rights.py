"""Which device may say and hear what at the gateway's local broker: out of the desired state and the profiles. Pure.

A device signs in under its own id. It may write where its profile reads it, and read where its profile tells it something;
never on another one's topics. Each broker's own form of this is made from here: ``mosquitto``, ``nats``.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from contracts.messages import DesiredDevice
from contracts.profile import Profile
from edge_agent.profiles.topics import Template

USER_NAME = re.compile(r"[^\s:#+/\0-\x1f]{1,128}")
"""What can stand in Mosquitto's files as a user name."""


class Rights(NamedTuple):
    """What one user may do, in topic filters of MQTT."""

    user: str
    writes: Sequence[str]
    reads: Sequence[str]


def device_rights(
    devices: Iterable[DesiredDevice], profiles: Mapping[str, Profile], users: Collection[str]
) -> list[Rights]:
    """Of each device that has an identity. users: who has a password."""
    known = [device for device in devices if device.device in users and USER_NAME.fullmatch(device.device)]
    return [
        Rights(device.device, writable(device, profile), heard(device, profile))
        for device in known
        for profile in [profiles.get(device.profile)]
    ]


def writable(device: DesiredDevice, profile: Profile | None) -> list[str]:
    """Topic filters on which a device is read: its profile's where they name it, and what was adopted as its own."""
    own = [topic for topic in device.topics if _is_storable(topic)]
    if profile is None:
        return own
    topics = [topic for message in profile.messages for topic in (message.topics or profile.topics)]
    named = [_naming(topic, profile.identity.device, device.device) for topic in dict.fromkeys(topics)]
    return [*filter(None, named), *own]


def heard(device: DesiredDevice, profile: Profile | None) -> list[str]:
    """Topics on which its profile tells a device something."""
    topics = [command.topic for command in profile.commands.values()] if profile else []
    filled = (topic.replace("{device}", device.device) for topic in dict.fromkeys(topics))
    return [topic for topic in filled if "{" not in topic and _is_storable(topic)]


def _naming(topic: str, identity: str, device: str) -> str:
    """The filter of a topic template for one device; "" where the topic alone does not say which device it is."""
    template = Template(topic)
    name = identity[1:-1]
    if identity != f"{{{name}}}" or name not in template.names:
        return ""
    return re.sub(r"[^/]*\{([a-z_][a-z0-9_]*)\}[^/]*", lambda found: _level(found, name, device), topic)


def _level(found: re.Match[str], name: str, device: str) -> str:
    return found[0].replace(f"{{{name}}}", device) if found[1] == name else "+"


def _is_storable(topic: str) -> bool:
    return topic.isprintable() and topic not in ("", "#")
