"""The desired state's profiles: which of them are taken, which are refused and why. Pure; the agent puts them to use."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from contracts.messages import DesiredProfile
from contracts.profile import Profile
from contracts.profile_signature import digest_of, fault_of_signature
from edge_agent.profiles import ProfileError, ProfileSet
from edge_agent.profiles.check import check_profile
from edge_agent.profiles.profile_set import parse_profile

PROFILES_MAX = 64
REASON_LENGTH_MAX = 500

Taken = Mapping[str, DesiredProfile]
"""Profile id -> the travelled version that is in use."""


class Applied(NamedTuple):
    """What became of a document.

    taken    the travelled profiles now in use: of each the wanted version, or the one before where that is refused
    refused  profile id -> why the wanted version is not taken
    profiles all that messages are read with: the gateway's own, and in their place those that have travelled
    """

    taken: Taken
    refused: Mapping[str, str]
    profiles: ProfileSet


def apply_profiles(
    own: Sequence[Profile], before: Taken, wanted: Sequence[DesiredProfile], keys: Sequence[Ed25519PublicKey]
) -> Applied:
    """Take what is right of ``wanted``. One that is wrong leaves its predecessor in use; the others do not notice."""
    taken: dict[str, DesiredProfile] = {}
    refused: dict[str, str] = {}
    parsed: dict[str, Profile] = {}
    for travelling in wanted:
        name = travelling.profile
        known = before.get(name)
        fault, profile = "", None
        if len(taken) >= PROFILES_MAX:
            fault = f"too_many_profiles: {PROFILES_MAX} at most"
        elif known is not None and travelling.version < known.version:
            fault = f"version_older: {known.version} is in use"
        elif known is not None and travelling.version == known.version and travelling.digest != known.digest:
            fault = f"version_reused: {known.version} is another document"
        elif fault := fault_of_signature(travelling, keys):
            pass
        else:
            fault, profile = _read(travelling)
        if fault:
            refused[name] = fault[:REASON_LENGTH_MAX]
            if known is None:
                continue
            travelling = known
            _, profile = _read(known)  # it was believed when it came: a key that has gone since changes nothing
        if profile is not None:
            taken[name], parsed[name] = travelling, profile
    profiles = {profile.profile.id: profile for profile in own} | parsed
    return Applied(taken, refused, ProfileSet(profiles.values()))


def _read(travelling: DesiredProfile) -> tuple[str, Profile | None]:
    """(fault, profile); the fault is empty when digest, schema and examples hold."""
    if digest_of(travelling.document) != travelling.digest:
        return "digest_wrong", None
    try:
        profile = parse_profile(travelling.document, travelling.profile)
        if (profile.profile.id, profile.profile.version) != (travelling.profile, travelling.version):
            return "profile_invalid: the document is of another profile or version", None
        if not profile.examples:
            return "examples_missing", None
        if problems := check_profile(profile):
            return f"examples_fail: {problems[0]}", None
    except ProfileError as error:
        return f"profile_invalid: {error}", None
    except Exception as error:  # noqa: BLE001  whatever a stranger's document does: the gateway reads on
        return f"profile_invalid: {type(error).__name__}: {error}", None
    return "", profile
