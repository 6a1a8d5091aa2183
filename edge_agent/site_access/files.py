"""Reads what the gateway knows of its devices, and writes what each broker reads: who may come in, and what he may do.

In the folder: ``site.acl`` (by hand), ``passwords`` and ``devices.acl`` for Mosquitto, ``passwords.bcrypt`` and
``devices.conf`` for the embedded broker.
"""

import os
import secrets
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import msgspec

from contracts.messages import DesiredProfile, DesiredState
from edge_agent.outbox.knowledge import document
from edge_agent.profiles.check import load_with_own
from edge_agent.profiles.profile_set import parse_profile
from edge_agent.site_access.by_hand import by_hand_rights
from edge_agent.site_access.mosquitto import SALT_BYTES, mosquitto_acl, mosquitto_hash
from edge_agent.site_access.nats import ANYONE, nats_users
from edge_agent.site_access.rights import USER_NAME, device_rights

BCRYPT_ROUNDS = 5
"""3 ms of a gateway's CPU a sign-in, for hundreds come back at once. The passwords are random: there is nothing to guess."""
PASSWORD_BYTES = 18
FIRST = """# Written by hand: who is no device of the registry. This file is where an installation starts.

# The agent, where it does not share the broker's loopback: it hears everything and tells devices what to do.
user agent
topic readwrite #

# A bridge speaks for many devices below its own root, such as:
#   user bridge
#   topic readwrite bridge/#
"""


def new_password(folder: Path, user: str) -> str:
    """Give somebody a new password at both brokers; its hashes are kept, it is shown now and never again.

    Raises ValueError for a name that can't be one, OSError.
    """
    import bcrypt  # of no use to the running agent

    if not USER_NAME.fullmatch(user) or user == ANYONE:
        raise ValueError(f"{user!r} can't be a user's name at a broker")
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    _keep_hash(folder / "passwords", user, mosquitto_hash(password, secrets.token_bytes(SALT_BYTES)))
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(BCRYPT_ROUNDS))
    _keep_hash(folder / "passwords.bcrypt", user, hashed.decode())
    return password


def write_site_access(folder: Path, data_dir: Path, own_profiles: str, is_open: bool) -> list[str]:
    """Write ``devices.acl`` and ``devices.conf`` anew, out of ``site.acl``, the passwords and the desired state in use.

    Returns the devices that have an identity. Raises OSError, sqlite3.Error, ProfileError, and ValueError for what the
    embedded broker can't say: then its file is left as it is.
    """
    desired, travelled = _in_use(data_dir / "outbox.sqlite")
    profiles = dict(load_with_own(Path(own_profiles) if own_profiles else None).profiles)
    for each in travelled:
        profiles[each.profile] = parse_profile(each.document, each.profile)
    site = folder / "site.acl"
    if not site.exists():
        site.write_text(FIRST, encoding="utf-8")
    by_hand = site.read_text(encoding="utf-8")
    mosquitto, embedded = _hashes(folder / "passwords"), _hashes(folder / "passwords.bcrypt")
    known = device_rights(desired.devices, profiles, mosquitto)
    _replace(folder / "devices.acl", mosquitto_acl(by_hand, known, is_open))
    if embedded or (folder / "devices.conf").exists():
        devices = device_rights(desired.devices, profiles, embedded)
        _replace(folder / "devices.conf", nats_users(by_hand_rights(by_hand), devices, embedded, is_open))
    return sorted(device.device for device in desired.devices if device.device in mosquitto.keys() | embedded.keys())


def _keep_hash(path: Path, user: str, hashed: str) -> None:
    _replace(path, "".join(f"{name}:{each}\n" for name, each in {**_hashes(path), user: hashed}.items()))


def _hashes(path: Path) -> Mapping[str, str]:
    """User -> hash; the lines of a file of passwords."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    return {user: hashed for user, _, hashed in (line.partition(":") for line in lines) if hashed}


def _replace(path: Path, text: str) -> None:
    """In one step; the broker, which is somebody else, may read it as before."""
    fresh = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    if path.exists():
        before = path.stat()
        fresh.chmod(before.st_mode & 0o777)
        if os.geteuid() == 0:
            os.chown(fresh, before.st_uid, before.st_gid)
    fresh.replace(path)


def _in_use(outbox: Path) -> tuple[DesiredState, list[DesiredProfile]]:
    db = sqlite3.connect(f"{outbox.resolve().as_uri()}?mode=ro", uri=True)
    try:
        kept, profiles = document(db, "desired"), document(db, "profiles")
    finally:
        db.close()
    desired = msgspec.msgpack.decode(kept, type=DesiredState) if kept else DesiredState(version=0)
    return desired, msgspec.msgpack.decode(profiles or b"\x90", type=list[DesiredProfile])
