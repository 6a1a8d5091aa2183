"""Which community something is of."""

from collections.abc import Mapping
from typing import Any

import device_registry as registry
from device_registry import OF_A_VALUE, NotFound


async def community_of(parameters: Mapping[str, Any]) -> str:
    """The community that a path's parameters name something of, "" when that is none, or nothing that is there."""
    try:
        if community_id := parameters.get("community_id"):
            return str(community_id)
        if gateway_id := parameters.get("gateway_id"):
            return (await registry.gateway(gateway_id)).community_id
        if facility_id := parameters.get("facility_id"):
            return (await registry.facility(facility_id)).community_id
        if device_id := parameters.get("device_id"):
            return (await registry.device(device_id)).community_id
    except (NotFound, *OF_A_VALUE):  # an id that none can have is nobody's
        pass
    return ""
