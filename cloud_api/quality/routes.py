"""The route of findings: what is wrong with devices, as the checks see it."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

import device_registry as registry
from cloud_api.names import KindOfFacility
from cloud_api.pages import Cursor, Limit, Page, cut, id_after
from cloud_api.parts import PartsDep
from cloud_api.people.access import needs
from cloud_api.people.roles import Permission

router = APIRouter(tags=["quality"])


class Finding(BaseModel):
    """One thing that is wrong with a device.

    `check`: late, stuck, flapping, leap, zero_drift, covered, battery_weak, fire, reset. `metric` is null when it is about
    the whole device. `since_ms` is as far back as it can be seen.
    """

    device_id: str = Field(examples=["dev-z72blpgg5flow7sn"])
    check: str = Field(examples=["late"])
    metric: str | None = Field(examples=[None])
    since_ms: int = Field(examples=[1_790_000_000_000])
    detail: str = Field(examples=["silent for 190 min, usually every 60.0 min"])


class FindingPage(Page):
    """The findings of a page of devices; a page may be empty and yet have a next one."""

    items: list[Finding]


@router.get("/findings", summary="What is wrong with devices", openapi_extra=needs(Permission.SEE))
async def list_findings(
    parts: PartsDep,
    cursor: Cursor = "",
    limit: Annotated[Limit, Query(description="How many devices a page looks at")] = 1000,
    community: str = "",
    kind: KindOfFacility | None = None,
    device: str = "",
) -> FindingPage:
    """Judged now, from the near past of each adopted device, in the order of their ids."""
    where = registry.DeviceFilter(community=community, kind=kind or "", device=device, status="adopted")
    found = await registry.devices(where, id_after(cursor), limit + 1)
    rows, following = cut(found, limit, lambda row: (row.id,))
    sources = await registry.sources_of_all(rows)
    now_ms = parts.clock()
    items = [
        Finding(
            device_id=row.id,
            check=each.check,
            metric=each.metric or None,
            since_ms=each.since_ms,
            detail=each.detail,
        )
        for row in rows
        for each in parts.quality.findings_of(sources[row.id], now_ms)
    ]
    return FindingPage(items=items, next_cursor=following)
