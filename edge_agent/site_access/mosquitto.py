"""Mosquitto's form of the rights: ``devices.acl``, and the hash of a password in ``passwords``. Pure."""

import hashlib
from base64 import b64encode
from collections.abc import Sequence

from edge_agent.site_access.rights import Rights

ITERATIONS = 101
"""What mosquitto_passwd takes: the passwords are random, of 144 bits, so that nobody guesses them whatever it costs."""
SALT_BYTES = 12


def mosquitto_acl(by_hand: str, devices: Sequence[Rights], is_open: bool) -> str:
    """The text of ``devices.acl``.

    by_hand  what stands before it, as it is: blocks of the agent and of bridges
    is_open  who has no password may speak as well, but for no device that has one
    """
    lines = ["# Written by `edge-agent site-access`; write by hand in site.acl."]
    if is_open:
        lines += ["topic readwrite #", *(f"topic deny {each}" for device in devices for each in device.writes), ""]
    lines += [by_hand.rstrip(), ""]
    for device in devices:
        if device.writes or device.reads:
            lines += [f"user {device.user}"]
            lines += [f"topic write {each}" for each in device.writes]
            lines += [f"topic read {each}" for each in device.reads]
            lines += [""]
    return "\n".join(lines)


def mosquitto_hash(password: str, salt: bytes) -> str:
    """As mosquitto_passwd writes it. salt: SALT_BYTES random bytes."""
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    return f"$7${ITERATIONS}${b64encode(salt).decode()}${b64encode(digest).decode()}"
