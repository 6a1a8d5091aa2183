"""The route of the quarantine."""

from base64 import b64encode
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

import device_registry as registry
from cloud_api.pages import Cursor, Limit, Page, cut, decode_cursor
from cloud_api.parts import PartsDep
from cloud_api.people.access import needs
from cloud_api.people.roles import Permission
from cloud_api.quarantine.store import Entry

router = APIRouter(tags=["quarantine"])


class RefusedMessage(BaseModel):
    """What was refused. `origin`: a device's message, by its gateway; a gateway's frame, by ingest; samples of a logged
    frame, by the telemetry store; or a record in one (inventory, command progress, ...), by the book.

    `head_base64`: its first bytes, 256 at most. `count`: how many of one kind were folded into this entry.
    """

    gateway_id: str = Field(examples=["gw-liuyuan-1"])
    origin: Literal["device", "frame", "store", "record"]
    topic: str = Field(examples=["application/linli/device/70b3d52dd6000a07/event/up"])
    profile: str = Field(examples=["nwave/nps"])
    reason: str = Field(examples=["json_invalid"])
    detail: str = Field(examples=["unexpected end of data at byte 17"])
    at_ms: int = Field(examples=[1_790_000_000_000])
    head_base64: str = Field(examples=["eyJkYXRh"])
    size_bytes: int = Field(examples=[17])
    count: int = Field(examples=[1])
    recovered: "Recovered | None" = Field(None, description="Messages of this topic were read after all")


class Recovered(BaseModel):
    """By which profile messages that had been refused were read, and when. `still`: how many it can't read either."""

    profile: str = Field(examples=["acme/bl-1"])
    profile_version: int = Field(examples=[2])
    at_ms: int = Field(examples=[1_790_000_000_000])
    still: int = Field(examples=[0])


class QuarantinePage(Page):
    """A page of refusals, newest first."""

    items: list[RefusedMessage]


def _in_json(entry: Entry, recovery: registry.Recovery | None) -> RefusedMessage:
    return RefusedMessage.model_validate(
        {
            "gateway_id": entry.gateway,
            "origin": entry.origin,
            "topic": entry.topic,
            "profile": entry.profile,
            "reason": entry.reason,
            "detail": entry.detail,
            "at_ms": entry.at_ms,
            "head_base64": b64encode(entry.head).decode(),
            "size_bytes": entry.size_bytes,
            "count": entry.times,
            "recovered": {
                "profile": recovery.profile,
                "profile_version": recovery.profile_version,
                "at_ms": recovery.at_ms,
                "still": recovery.still,
            }
            if recovery is not None and entry.origin == "device" and entry.at_ms <= recovery.at_ms
            else None,
        }
    )


@router.get("/quarantine", summary="What was refused", openapi_extra=needs(Permission.DIAGNOSE))
async def list_quarantine(
    parts: PartsDep, cursor: Cursor = "", limit: Limit = 100, gateway: str = ""
) -> QuarantinePage:
    """From whom, why and when, newest first. The newest 100,000 entries are kept."""
    place = decode_cursor(cursor, int)
    seen = await registry.visible_gateways()
    if gateway:
        seen = frozenset({gateway}) if seen is None or gateway in seen else frozenset()
    entries = await parts.quarantine.newest(seen, int(place[0]) if place else None, limit + 1)
    page, following = cut(entries, limit, lambda entry: (entry.number,))
    known = await registry.recoveries([entry.gateway for entry in page], [entry.topic for entry in page])
    items = [_in_json(entry, known.get((entry.gateway, entry.topic))) for entry in page]
    return QuarantinePage(items=items, next_cursor=following)
