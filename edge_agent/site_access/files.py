"""Reads what the gateway knows of its devices, and writes the broker's access list."""

import sqlite3
from pathlib import Path

import msgspec

from contracts.messages import DesiredProfile, DesiredState
from edge_agent.outbox.knowledge import document
from edge_agent.profiles.check import load_with_own
from edge_agent.profiles.profile_set import parse_profile
from edge_agent.site_access.acl import site_acl

FIRST = """# Written by hand: who is no device of the registry. This file is where an installation starts.

# The agent, where it does not share the broker's loopback: it hears everything and tells devices what to do.
user agent
topic readwrite #

# A bridge speaks for many devices below its own root, such as:
#   user bridge
#   topic readwrite bridge/#
"""


def write_site_access(folder: Path, data_dir: Path, own_profiles: str, is_open: bool) -> list[str]:
    """Write ``devices.acl`` in ``folder`` anew, out of ``site.acl``, ``passwords`` and the desired state that is in use.

    Returns the devices that have an identity. Raises OSError, sqlite3.Error, ProfileError.
    """
    desired, travelled = _in_use(data_dir / "outbox.sqlite")
    profiles = dict(load_with_own(Path(own_profiles) if own_profiles else None).profiles)
    for each in travelled:
        profiles[each.profile] = parse_profile(each.document, each.profile)
    by_hand = folder / "site.acl"
    if not by_hand.exists():
        by_hand.write_text(FIRST, encoding="utf-8")
    passwords = folder / "passwords"
    users = {line.partition(":")[0] for line in passwords.read_text(encoding="utf-8").splitlines()}
    text = site_acl(by_hand.read_text(encoding="utf-8"), desired.devices, profiles, users, is_open)
    fresh = folder / "devices.acl.new"
    fresh.write_text(text, encoding="utf-8")
    if (folder / "devices.acl").exists():
        fresh.chmod((folder / "devices.acl").stat().st_mode & 0o777)
    fresh.replace(folder / "devices.acl")
    return sorted(device.device for device in desired.devices if device.device in users)


def _in_use(outbox: Path) -> tuple[DesiredState, list[DesiredProfile]]:
    db = sqlite3.connect(f"{outbox.resolve().as_uri()}?mode=ro", uri=True)
    try:
        kept, profiles = document(db, "desired"), document(db, "profiles")
    finally:
        db.close()
    desired = msgspec.msgpack.decode(kept, type=DesiredState) if kept else DesiredState(version=0)
    return desired, msgspec.msgpack.decode(profiles or b"\x90", type=list[DesiredProfile])
