"""The route of a gateway's ledger."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

import device_registry as registry
from cloud_api.ledger.book import LaneEntry, gateway_ledger
from cloud_api.parts import PartsDep
from cloud_api.people.access import needs
from cloud_api.people.roles import Permission
from cloud_api.problems import responses

router = APIRouter(tags=["ledger"])


class Gap(BaseModel):
    """Frames first..last that the cloud does not hold."""

    first_seq: int = Field(examples=[41])
    last_seq: int = Field(examples=[43])
    samples: int = Field(examples=[96])


class Drop(Gap):
    """Frames that were given up, and declared."""

    reason: str = Field(examples=["size_cap"])


class LedgerEpoch(BaseModel):
    """One lane of one outbox file, counted in samples."""

    epoch: str = Field(examples=["9f3b0c2d4e5a6178"])
    lane: Literal["urgent", "bulk"]
    first_seq: int = Field(examples=[1])
    last_seq: int = Field(examples=[5120])
    produced: int
    stored: int
    declared_dropped: int
    buffered: int
    unexplained: int
    gaps: list[Gap]
    drops: list[Drop]


class Ledger(BaseModel):
    """produced = stored + declared_dropped + buffered + unexplained; `balanced`: unexplained is 0.

    `conflicts`: frames that came under a number which another frame has, counted in frames and in none of the sums; see
    `/gateways/{gateway_id}/conflicts`.
    """

    gateway_id: str = Field(examples=["gw-liuyuan-1"])
    produced: int = Field(examples=[163_840])
    stored: int = Field(examples=[163_744])
    declared_dropped: int = Field(examples=[0])
    buffered: int = Field(examples=[96])
    unexplained: int = Field(examples=[0])
    balanced: bool
    conflicts: int = Field(examples=[0])
    epochs: list[LedgerEpoch]


def _epoch(entry: LaneEntry) -> LedgerEpoch:
    ledger = entry.ledger
    return LedgerEpoch.model_validate(
        {
            **ledger._asdict(),
            "epoch": entry.epoch,
            "lane": entry.lane,
            "gaps": [gap._asdict() for gap in ledger.gaps],
            "drops": [drop._asdict() for drop in entry.drops],
        }
    )


@router.get(
    "/gateways/{gateway_id}/ledger",
    summary="Does it add up?",
    responses=responses("not_found"),
    openapi_extra=needs(Permission.SEE),
)
async def get_ledger(gateway_id: str, parts: PartsDep) -> Ledger:
    """Everything a gateway has produced, and where it is now. Counted in samples."""
    await registry.gateway(gateway_id)
    # Its state first: what it says was acked by then is in the frame log when that is read.
    state = parts.presence.state(gateway_id)
    found = await gateway_ledger(gateway_id, parts.framelog, parts.ledger, state)
    epochs = [_epoch(entry) for entry in found.lanes]
    unexplained = sum(epoch.unexplained for epoch in epochs)
    return Ledger(
        gateway_id=gateway_id,
        produced=sum(epoch.produced for epoch in epochs),
        stored=sum(epoch.stored for epoch in epochs),
        declared_dropped=sum(epoch.declared_dropped for epoch in epochs),
        buffered=sum(epoch.buffered for epoch in epochs),
        unexplained=unexplained,
        balanced=unexplained == 0,
        conflicts=await parts.framelog.count_conflicts(gateway_id),
        epochs=epochs,
    )
