"""The route of a gateway's conflicts."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

import device_registry as registry
from cloud_api.framelog.log import Conflict
from cloud_api.pages import Cursor, Limit, Page, cut, decode_cursor
from cloud_api.parts import PartsDep
from cloud_api.people.access import needs
from cloud_api.people.roles import Permission
from cloud_api.problems import responses
from contracts.frame import read_header

router = APIRouter(tags=["ledger"])


class ConflictingFrame(BaseModel):
    """A frame that was kept out: the frame log holds another one under its number.

    Two outboxes have given the same number: a disk was copied, or an older image was put back. `born_ms`: when the
    gateway committed it, by its own clock.
    """

    epoch: str = Field(examples=["9f3b0c2d4e5a6178"])
    lane: Literal["urgent", "bulk"]
    seq: int = Field(examples=[41])
    samples: int = Field(examples=[96])
    born_ms: int = Field(examples=[1_790_000_000_000])
    received_ms: int = Field(examples=[1_790_000_000_400])
    size_bytes: int = Field(examples=[2_048])


class ConflictPage(Page):
    """A page of conflicts, newest first."""

    items: list[ConflictingFrame]


def _in_json(conflict: Conflict) -> ConflictingFrame:
    header = read_header(conflict.payload)
    return ConflictingFrame.model_validate(
        {
            "epoch": conflict.key.epoch,
            "lane": conflict.key.lane,
            "seq": conflict.seq,
            "samples": header.samples,
            "born_ms": header.born_ms,
            "received_ms": conflict.received_ms,
            "size_bytes": len(conflict.payload),
        }
    )


@router.get(
    "/gateways/{gateway_id}/conflicts",
    summary="Frames under numbers that others have",
    responses=responses("not_found"),
    openapi_extra=needs(Permission.DIAGNOSE),
)
async def list_conflicts(gateway_id: str, parts: PartsDep, cursor: Cursor = "", limit: Limit = 100) -> ConflictPage:
    """Newest first. The first 256 of a gateway are kept; none of them is in its series, nor in its ledger's sums."""
    await registry.gateway(gateway_id)
    place = decode_cursor(cursor, int)
    found = await parts.framelog.conflicts(gateway_id, int(place[0]) if place else None, limit + 1)
    page, following = cut(found, limit, lambda conflict: (conflict.number,))
    return ConflictPage(items=[_in_json(conflict) for conflict in page], next_cursor=following)
