"""The one place where the cloud uses the gateway's profile language: decision 012 says why it may."""

from functools import cache

from contracts.profile import Profile
from edge_agent.profiles.errors import ProfileError
from edge_agent.profiles.faults import Fault, faults_of
from edge_agent.profiles.profile_set import SHIPPED, load_profiles, parse_profile

__all__ = ["Fault", "ProfileError", "faults_of", "parse_profile", "shipped", "shipped_document"]


@cache
def shipped() -> dict[str, Profile]:
    """The profiles that come with Linli, by id."""
    return {profile.profile.id: profile for profile in load_profiles([SHIPPED])}


@cache
def _shipped_files() -> dict[str, str]:
    found = {}
    for file in sorted(SHIPPED.glob("*.yaml")):
        text = file.read_text(encoding="utf-8")
        for name in shipped():
            if f"id: {name}\n" in text or f"id: {name}," in text or f'id: "{name}"' in text:
                found[name] = text
    return found


def shipped_document(profile: str) -> str:
    """The YAML of a shipped profile."""
    return _shipped_files().get(profile, "")
