"""Tells the cloud what it can't see by itself: communities, facilities, gateways, and what people call their devices."""

import asyncio
import logging
from collections.abc import Sequence

import httpx

from simulators.communities import (
    CHARGE_POINTS_GATEWAY,
    COMMUNITIES,
    FACILITIES,
    GATEWAYS,
    bays,
    charging_site,
    demo_devices,
)
from simulators.world.world import World

log = logging.getLogger(__name__)


async def seed_registry(api: httpx.AsyncClient, charge_point_password: str) -> None:
    """Communities, facilities, gateways, and the charging site. May be repeated. Raises httpx.HTTPError."""
    for community, names in COMMUNITIES.items():
        await _put(api, f"communities/{community}", {"name": names._asdict()})
        for kind, kind_names in FACILITIES.items():
            body = {"community_id": community, "kind": kind, "name": kind_names._asdict()}
            await _put(api, f"facilities/{community}-{kind}", body)
    for gateway in GATEWAYS:
        body = {"community_id": gateway.community, "name": gateway.names._asdict()}
        await _put(api, f"gateways/{gateway.id}", body)
    await _put(api, f"gateways/{CHARGE_POINTS_GATEWAY}/charging", charging_site(charge_point_password))


async def _put(api: httpx.AsyncClient, path: str, body: object) -> None:
    (await api.put(path, json=body)).raise_for_status()


async def devices_seen(api: httpx.AsyncClient) -> int:
    """How many of the demo's devices the registry has adopted."""
    return len(await _adopted(api))


async def commission(api: httpx.AsyncClient, seed: int) -> None:
    """What an installer does with every adopted device: its bilingual name, what was measured, the place before a charger.

    seed  of the simulated world: it decides how high the bins are
    """
    known = await _adopted(api)
    bay_of = bays()
    measured = World(demo_devices(), seed, 0).measured()
    for spec in demo_devices():
        device = known.get((spec.gateway, spec.id))
        if device is None:
            continue
        wanted: dict[str, object] = {"name": {"zh": spec.zh, "en": spec.en}}
        if spec.id in measured:
            wanted["parameters"] = measured[spec.id]
        bay = known.get(bay_of.get((spec.gateway, spec.id), ("", "")))
        if bay is not None:
            wanted["place_id"] = bay["id"]
        if any(device[name] != value for name, value in wanted.items()):
            (await api.patch(f"devices/{device['id']}", json=wanted)).raise_for_status()


async def _adopted(api: httpx.AsyncClient) -> dict[tuple[str, str], dict[str, object]]:
    answer = await api.get("devices", params={"limit": 1000, "status": "adopted"})
    answer.raise_for_status()
    items = answer.json()["items"]
    wanted = {(spec.gateway, spec.id) for spec in demo_devices()}
    found = {(item["gateway_id"], item["external_id"]): item for item in items}
    return {source: found[source] for source in wanted & found.keys()}


async def wait_for_devices(api: httpx.AsyncClient, gateways: Sequence[str], seed: int) -> None:
    """Return when every simulated device of these gateways is in the registry, and commissioned."""
    wanted = sum(spec.gateway in gateways for spec in demo_devices())
    while await devices_seen(api) < wanted:
        await asyncio.sleep(0.1)
    await commission(api, seed)
