"""The route that residents use: what is free, how old that word is, and how sure."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

import device_registry as registry
from cloud_api.availability.decision import DECIDING, STATUSES, Decision, Latest, Status, decide, joined
from cloud_api.names import BilingualName
from cloud_api.parts import Parts, PartsDep
from cloud_api.people.access import PUBLIC
from cloud_api.problems import responses

router = APIRouter(tags=["availability"])


class Place(BaseModel):
    """A parking place or a charger.

    `age_ms`: since the newest proof that the word holds. `confidence` 0..1. `reason`: fresh_word, alive_since (an older
    word, and the device still speaks), stale, late (it should have spoken by now), stuck, flapping, never_seen,
    no_valid_value, said_unknown, uncertain_word, clock_ahead, fault; of a charger with a place before it also
    car_not_plugged_in, place_unknown, place_reserved, place_out_of_service.
    """

    device_id: str = Field(examples=["dev-z72blpgg5flow7sn"])
    name: BilingualName
    status: Status
    age_ms: int | None = Field(examples=[42_000])
    confidence: float = Field(ge=0, le=1, examples=[0.997])
    reason: str = Field(examples=["fresh_word"])


class Counts(BaseModel):
    """Places by status."""

    free: int = Field(0, examples=[12])
    occupied: int = Field(0, examples=[17])
    blocked: int = 0
    reserved: int = 0
    out_of_service: int = 0
    unknown: int = Field(0, examples=[1])
    total: int = Field(0, examples=[30])


class Availability(BaseModel):
    """All places of a kind in a community."""

    community_id: str = Field(examples=["liuyuan"])
    name: BilingualName
    kind: Literal["parking", "charging"]
    as_of_ms: int = Field(examples=[1_790_000_000_000])
    counts: Counts
    places: list[Place]


@router.get("/availability", summary="Free places and chargers", responses=responses("not_found"), openapi_extra=PUBLIC)
async def get_availability(
    community: Annotated[str, Query(description="The community's id")],
    kind: Literal["parking", "charging"],
    parts: PartsDep,
) -> Availability:
    """Public. A place is `free` only on a fresh word; past the staleness limit it is `unknown`, never `free`."""
    home = await registry.community(community)
    now_ms = parts.clock()
    rows = await registry.devices(registry.DeviceFilter(community=community, kind=kind, status="adopted"))
    bays = {}
    if any(row.place_id for row in rows):
        where = registry.DeviceFilter(community=community, kind="parking", status="adopted")
        bays = {row.id: row for row in await registry.devices(where)}
    sources = await registry.sources_of_all([*rows, *bays.values()])
    places = []
    for row in rows:
        if _is_no_place(kind, sources[row.id], parts):
            continue
        decision = _decide(kind, sources[row.id], parts, now_ms)
        if row.place_id in bays:
            decision = joined(decision, _decide("parking", sources[row.place_id], parts, now_ms))
        places.append(
            Place(
                device_id=row.id,
                name=BilingualName.of(row),
                status=decision.status,
                age_ms=decision.age_ms,
                confidence=decision.confidence,
                reason=decision.reason,
            )
        )
    places.sort(key=lambda place: (place.name.en, place.device_id))
    by_status = {status: sum(place.status == status for place in places) for status in STATUSES}
    counts = Counts(**by_status, total=len(places))
    name = BilingualName.of(home)
    return Availability(community_id=community, name=name, kind=kind, as_of_ms=now_ms, counts=counts, places=places)


def _is_no_place(kind: str, sources: Sequence[registry.SourceSpan], parts: Parts) -> bool:
    """A barrier stands at a car park; a charge point speaks for itself too, beside its connectors: neither is a place."""
    state = parts.live.state_of(sources)
    others = {"parking": {"barrier_state"}, "charging": {"firmware_version", "error_code"}}[kind]
    return DECIDING[kind] not in state and not others.isdisjoint(state)


def _decide(kind: str, sources: Sequence[registry.SourceSpan], parts: Parts, now_ms: int) -> Decision:
    state = parts.live.state_of(sources)
    latest = {name: Latest(seen.value, seen.observed_ms, seen.quality) for name, seen in state.items()}
    found = parts.quality.findings_of(sources, now_ms)
    late = any(finding.check == "late" for finding in found)
    doubt = "late" if late else parts.quality.doubts_of(sources).get(DECIDING[kind], "")
    return decide(kind, latest, now_ms, doubt)
