"""What gateways hear that no profile reads: kept bounded, shown to people, and bound to a device or dismissed."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from contracts.messages import DeviceSeen, Discovered, Proposal
from contracts.vocabulary import KINDS
from device_registry.adoption import place_all
from device_registry.database import writing
from device_registry.desired import write_desired
from device_registry.errors import Conflict, NotFound
from device_registry.models import Device, Discovery, Gateway
from device_registry.names import Name
from device_registry.scope import visible

KEPT_MAX = 256
"""Topics of one gateway; of more, those that were told of longest ago go. A gateway's own catalogue holds as many."""
BOUND_MAX = 16
"""Topics of one device."""
TOPIC_LENGTH_MAX = 256
TEXT_LENGTH_MAX = 200
PROPOSALS_MAX = 3
VALUES_MAX = 32
HEAD_BYTES_MAX = 256


class Reads(NamedTuple):
    """A profile, and which of its versions reads what kind of device."""

    profile: str
    version: int
    kind: str


def discovery_fault(found: Discovered) -> str:
    """Why the registry can't keep this: "" when it can, else a snake_case word. Gateways are not trusted.

    That numbers are finite and within 63 bits, and texts without NUL, holds for every record of the book.
    """
    if not 0 < len(found.topic) <= TOPIC_LENGTH_MAX:
        return "topic_invalid"
    if not (found.count > 0 and found.size_bytes >= 0 and len(found.head) <= HEAD_BYTES_MAX):
        return "size_invalid"
    if len(found.proposals) > PROPOSALS_MAX or not all(map(_may_be_proposed, found.proposals)):
        return "proposal_invalid"
    return ""


def _may_be_proposed(proposal: Proposal) -> bool:
    return (
        proposal.kind in KINDS
        and 0 < len(proposal.device) <= 128
        and 0 < len(proposal.profile) <= 120
        and 0 <= proposal.profile_version < 2**31
        and 0 <= proposal.score <= 1
        and len(proposal.values) <= VALUES_MAX
        and all(len(text) <= TEXT_LENGTH_MAX for pair in proposal.values.items() for text in pair if type(text) is str)
    )


async def discovered(gateway_id: str, found: Discovered) -> None:
    """Keep what a gateway has told of a topic. Idempotent: the newest counts, and what people decided stays.

    found  has no ``discovery_fault``
    """
    async with writing():
        row = await Discovery.get_or_none(gateway_id=gateway_id, topic=found.topic)
        if row is not None and row.at_ms >= found.at_ms:
            return
        is_new = row is None
        row = row or Discovery(gateway_id=gateway_id, topic=found.topic)
        row.count, row.size_bytes, row.head = found.count, found.size_bytes, found.head
        row.proposals = msgspec.to_builtins(found.proposals)
        row.first_ms, row.at_ms = found.first_ms, found.at_ms
        await row.save()
        if is_new:
            # What was decided stays decided: each has a bound of its own.
            kept = Discovery.filter(gateway_id=gateway_id, status=row.status).order_by("-at_ms", "-id")
            old = await kept.offset(KEPT_MAX).limit(KEPT_MAX).values_list("id", flat=True)
            if old:
                await Discovery.filter(id__in=old).delete()


async def discoveries(
    gateway_id: str, status: str, after: tuple[int, int] | None = None, limit: int | None = None
) -> list[Discovery]:
    """Of one gateway and status, the last told of first. after: (at_ms, id) of the page before. Raises NotFound."""
    if not await visible(Gateway).filter(id=gateway_id).exists():
        raise NotFound("gateway", gateway_id)
    # A gateway has few: they are all read, and a page is cut from them.
    rows = await Discovery.filter(gateway_id=gateway_id, status=status).order_by("-at_ms", "-id")
    return [row for row in rows if after is None or (row.at_ms, row.id) < after][:limit]


async def discovery(gateway_id: str, topic: str) -> Discovery:
    """One of them. Raises NotFound."""
    return await _told_of(gateway_id, topic)


async def dismiss(gateway_id: str, topic: str) -> Discovery:
    """Do not show this topic any more. May be repeated. Raises NotFound, Conflict when a device is bound to it."""
    async with writing():
        row = await _told_of(gateway_id, topic)
        if row.status == "adopted":
            raise Conflict(f"topic {topic!r} is read as device {row.device_id!r}")
        row.status = "dismissed"
        await row.save(update_fields=["status"])
        return row


async def release(gateway_id: str, topic: str, now_ms: int) -> Discovery:
    """Take back what was decided: a topic that was bound is bound no longer, one that was dismissed is shown again.

    Its device stays, with what was read. May be repeated. Raises NotFound.
    """
    async with writing():
        found = await _told_of(gateway_id, topic)
        row = await Device.get_or_none(id=found.device_id)
        if row is not None and topic in row.topics:
            row.topics = [each for each in row.topics if each != topic]
            await row.save(update_fields=["topics"])
            await write_desired(gateway_id, now_ms)
        found.status, found.device_id = "open", ""
        await found.save(update_fields=["status", "device_id"])
        return found


async def adopt_discovery(
    gateway_id: str,
    topic: str,
    reads: Reads,
    external_id: str,
    now_ms: int,
    name: Name | None = None,
    parameters: Mapping[str, float] | None = None,
) -> Device:
    """Bind a topic to a device, which is made or adopted with it: this profile reads it from then on.

    reads        proposed by the gateway, or chosen by a person
    external_id  what the gateway is to call the device
    May be repeated. Raises NotFound, and Conflict: the topic is a pattern of many, dismissed, or bound already; the device
    is read by another profile, is of another kind, or has too many topics.
    """
    async with writing():
        found = await _told_of(gateway_id, topic)
        gateway = await Gateway.get(id=gateway_id)
        row = await Device.get_or_none(gateway_id=gateway_id, external_id=external_id)
        await _refuse_bound(found, row)
        if "+" in topic or "#" in topic:
            raise Conflict(f"{topic!r} stands for many topics, one device can't be all of them; write a profile for it")
        if row is None:
            seen = DeviceSeen(
                device=external_id, profile=reads.profile, profile_version=reads.version, kind=reads.kind, at_ms=now_ms
            )
            await place_all(gateway, [seen], now_ms, adopt=True)
            row = await Device.get(gateway_id=gateway_id, external_id=external_id)
        elif row.profile != reads.profile:
            raise Conflict(f"device {external_id!r} is read by {row.profile!r} already")
        elif topic not in row.topics and len(row.topics) >= BOUND_MAX:
            raise Conflict(f"device {external_id!r} has {BOUND_MAX} topics already")
        if row.status != "adopted":
            row.status, row.adopted_ms = "adopted", now_ms
        row.topics = sorted({*row.topics, topic})
        if name is not None:
            row.name_zh, row.name_en, row.named_by = name.zh, name.en, "person"
        if parameters is not None:
            row.parameters = dict(parameters)
        await row.save()
        found.status, found.device_id = "adopted", row.id
        await found.save(update_fields=["status", "device_id"])
        await write_desired(gateway_id, now_ms)
        return row


async def _refuse_bound(found: Discovery, wanted: Device | None) -> None:
    """Raises Conflict when somebody else has decided on this topic meanwhile."""
    if found.status == "dismissed":
        raise Conflict(f"topic {found.topic!r} was dismissed; release it first")
    rows = await Device.filter(gateway_id=found.gateway_id).values_list("id", "topics")
    for device_id, topics in rows:  # also those whose discovery was forgotten since
        if found.topic in topics and (wanted is None or device_id != wanted.id):
            raise Conflict(f"topic {found.topic!r} is read as device {device_id!r}")


async def _told_of(gateway_id: str, topic: str) -> Discovery:
    if not await visible(Gateway).filter(id=gateway_id).exists():
        raise NotFound("gateway", gateway_id)
    row = await Discovery.get_or_none(gateway_id=gateway_id, topic=topic)
    if row is None:
        raise NotFound("discovered topic", topic)
    return row
