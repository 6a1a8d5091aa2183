"""Where devices' words come from: which gateway, under which id, from when to when. What they said is found by it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from device_registry.models import Device, FormerSource

END_MS = 2**63 - 1
"""The end of a span that goes on."""
ASKED_MAX = 1_000
"""Devices that are asked for at once: a query names each of them, and databases bound that."""


class SourceSpan(NamedTuple):
    """What this gateway says of this external id with an event time from_ms <= t < to_ms is one device's."""

    gateway_id: str
    external_id: str
    from_ms: int = 0
    to_ms: int = END_MS

    @property
    def source(self) -> tuple[str, str]:
        """(gateway, external id)."""
        return self.gateway_id, self.external_id

    @property
    def is_whole(self) -> bool:
        """It never was anywhere else, nor was another device there."""
        return (self.from_ms, self.to_ms) == (0, END_MS)

    def holds(self, t_ms: int) -> bool:
        """Whether an event of this time belongs to it."""
        return self.from_ms <= t_ms < self.to_ms


async def sources_of(device: Device) -> list[SourceSpan]:
    """A device's spans, the oldest first, the present one last. Their times do not overlap."""
    return (await sources_of_all([device]))[device.id]


async def sources_of_all(devices: Iterable[Device]) -> dict[str, list[SourceSpan]]:
    """Device id -> its spans, see ``sources_of``. Only for those that were moved the database is asked."""
    rows = list(devices)
    spans: dict[str, list[SourceSpan]] = {row.id: [] for row in rows}
    moved = [row.id for row in rows if row.since_ms]
    for at in range(0, len(moved), ASKED_MAX):
        for former in await FormerSource.filter(device_id__in=moved[at : at + ASKED_MAX]).order_by("to_ms"):
            spans[former.device_id].append(
                SourceSpan(former.gateway_id, former.external_id, former.from_ms, former.to_ms)
            )
    for row in rows:
        spans[row.id].append(SourceSpan(row.gateway_id, row.external_id, row.since_ms))
    return spans


async def devices_at(events: Sequence[tuple[str, str, int]]) -> Mapping[tuple[str, str, int], str]:
    """(gateway, external id, event time) -> id of the device that was there then, for those that are in the registry."""
    gateways, externals = {event[0] for event in events}, {event[1] for event in events}
    held: dict[tuple[str, str], list[tuple[SourceSpan, str]]] = {}
    there = {"gateway_id__in": list(gateways), "external_id__in": list(externals)}
    for row in await Device.filter(**there):
        span = SourceSpan(row.gateway_id, row.external_id, row.since_ms)
        held.setdefault(span.source, []).append((span, row.id))
    for former in await FormerSource.filter(**there):
        span = SourceSpan(former.gateway_id, former.external_id, former.from_ms, former.to_ms)
        held.setdefault(span.source, []).append((span, former.device_id))
    return {event: device for event in events for span, device in held.get(event[:2], ()) if span.holds(event[2])}
