"""Which device may say and hear what at the gateway's local broker: out of the desired state and the profiles. Pure.

A device signs in under its own id. It may write where its profile reads it, and read where its profile tells it something;
never on another one's topics. Who speaks for many (a bridge, a network server) has a block of its own, written by hand.
"""

import re
from collections.abc import Collection, Iterable, Mapping

from contracts.messages import DesiredDevice
from contracts.profile import Profile
from edge_agent.profiles.topics import Template

_NAME = re.compile(r"[^\s:#+/\0-\x1f]{1,128}")
"""What can stand in Mosquitto's files as a user name."""


def site_acl(
    by_hand: str,
    devices: Iterable[DesiredDevice],
    profiles: Mapping[str, Profile],
    users: Collection[str],
    is_open: bool,
) -> str:
    """The text of ``devices.acl``.

    by_hand  what stands before it: blocks of the agent and of bridges
    users    who has a password: of the devices, those that have an identity
    is_open  who has no password may speak as well, but for no device that has one
    """
    known = [device for device in devices if device.device in users and _NAME.fullmatch(device.device)]
    writes = {device.device: writable(device, profiles.get(device.profile)) for device in known}
    lines = ["# Written by `edge-agent site-access`; write by hand in site.acl."]
    if is_open:
        lines += ["topic readwrite #", *(f"topic deny {each}" for topics in writes.values() for each in topics), ""]
    lines += [by_hand.rstrip(), ""]
    for device in known:
        readable = heard(device, profiles.get(device.profile))
        if writes[device.device] or readable:
            lines += [f"user {device.device}"]
            lines += [f"topic write {each}" for each in writes[device.device]]
            lines += [f"topic read {each}" for each in readable]
            lines += [""]
    return "\n".join(lines)


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
