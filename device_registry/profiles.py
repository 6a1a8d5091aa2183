"""Profiles that people have written: versions that never change, and which gateway is to read with which."""

from collections.abc import Iterable, Mapping

from contracts.messages import Recovered
from device_registry.database import writing
from device_registry.desired import write_profiles
from device_registry.errors import Conflict, NotFound
from device_registry.models import Desired, Device, Discovery, Gateway, ProfileVersion, Recovery
from device_registry.names import Name
from device_registry.scope import visible, visible_gateways

TOPIC_LENGTH_MAX = 256
PUSHED_BYTES_MAX = 524_288
"""Documents of one gateway's desired state together: it is one MQTT message."""
RECOVERIES_MAX = 10_000


async def add_profile(profile: str, version: int, kind: str, name: Name, document: str, now_ms: int) -> ProfileVersion:
    """Keep a version. The same document again changes nothing. Raises Conflict when the version does not grow."""
    async with writing():
        last = await ProfileVersion.filter(profile=profile).order_by("-version").first()
        if last is not None and version <= last.version:
            same = await ProfileVersion.get_or_none(profile=profile, version=version)
            if same is not None and same.document == document:
                return same
            raise Conflict(f"profile {profile!r} has version {last.version}; a change needs a higher one than that")
        return await ProfileVersion.create(
            profile=profile, version=version, kind=kind, name_zh=name.zh[:200], name_en=name.en[:200],
            document=document, created_ms=now_ms,
        )  # fmt: skip


async def profile_versions(profile: str = "") -> list[ProfileVersion]:
    """All versions, or those of one profile, by id and version, the newest first."""
    where = {"profile": profile} if profile else {}
    return await ProfileVersion.filter(**where).order_by("profile", "-version")


async def push_profile(profile: str, version: int, gateways: Iterable[str], community: str, now_ms: int) -> list[str]:
    """Make this version part of the desired state of these gateways, or of all that the community has now.

    Returns their ids. Raises NotFound, Conflict when a gateway's profiles would be too large together.
    """
    async with writing():
        if not await ProfileVersion.exists(profile=profile, version=version):
            raise NotFound("profile version", f"{profile} {version}")
        wanted = [*gateways]
        for gateway in wanted:
            if not await visible(Gateway).filter(id=gateway).exists():
                raise NotFound("gateway", gateway)
        if community:
            wanted += [row.id for row in await visible(Gateway).filter(community_id=community)]
        for gateway in sorted(set(wanted)):
            row = await Desired.get_or_none(gateway_id=gateway)
            profiles = {**(row.profiles if row else {}), profile: version}
            size = sum(len(each.document.encode()) for each in await _versions(profiles))
            if size > PUSHED_BYTES_MAX:
                raise Conflict(f"the profiles of {gateway!r} would be {size} bytes, {PUSHED_BYTES_MAX} at most")
            await write_profiles(gateway, profiles, now_ms)
        return sorted(set(wanted))


async def profile_places() -> tuple[dict[str, dict[str, int]], dict[tuple[str, int], int]]:
    """Where profiles are: profile -> gateway -> pushed version, and (profile, version) -> number of devices."""
    pushed: dict[str, dict[str, int]] = {}
    seen = await visible_gateways()
    for gateway, profiles in await Desired.all().order_by("gateway_id").values_list("gateway_id", "profiles"):
        for profile, version in profiles.items() if seen is None or gateway in seen else ():
            pushed.setdefault(profile, {})[gateway] = version
    devices: dict[tuple[str, int], int] = {}
    for profile, version in await visible(Device).values_list("profile", "profile_version"):
        devices[profile, version] = devices.get((profile, version), 0) + 1
    return pushed, devices


async def refused_profiles() -> dict[str, dict[str, str]]:
    """Profile -> gateway -> why it did not take it."""
    found: dict[str, dict[str, str]] = {}
    for gateway, refused in await visible(Gateway).values_list("id", "refused"):
        for profile, why in refused.items():
            found.setdefault(profile, {})[gateway] = why
    return found


async def recovered(gateway_id: str, word: Recovered) -> None:
    """Refused messages of a topic were read after all. Idempotent; older words than the last one change nothing."""
    async with writing():
        topic = word.topic.replace("\0", "\ufffd")[:256]
        if not word.still:
            known = Discovery.filter(gateway_id=gateway_id, topic=topic, status="open", at_ms__lte=word.at_ms)
            await known.delete()  # it is read now
        row = await Recovery.get_or_none(gateway_id=gateway_id, topic=topic)
        if row is not None and row.at_ms >= word.at_ms:
            return
        row = row or Recovery(gateway_id=gateway_id, topic=topic)
        row.profile, row.profile_version = word.profile[:120], word.profile_version
        row.still, row.at_ms = word.still, word.at_ms
        await row.save()
        for old in await Recovery.all().order_by("-at_ms").offset(RECOVERIES_MAX).limit(100):
            await old.delete()


async def recoveries(gateway_ids: Iterable[str], topics: Iterable[str]) -> Mapping[tuple[str, str], Recovery]:
    """(gateway, topic) -> the last recovery of it."""
    # What gateways call a topic may be longer than any that was recovered, or be no text for a database at all.
    possible = [topic for topic in set(topics) if len(topic) <= TOPIC_LENGTH_MAX and topic.isprintable()]
    rows = await Recovery.filter(gateway_id__in=list(set(gateway_ids)), topic__in=possible)
    return {(row.gateway_id, row.topic): row for row in rows}


async def _versions(profiles: Mapping[str, int]) -> list[ProfileVersion]:
    rows = await ProfileVersion.filter(profile__in=list(profiles))
    return [row for row in rows if profiles[row.profile] == row.version]
