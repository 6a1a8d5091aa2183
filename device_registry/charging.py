"""How a gateway's site charges: kept here, given to the gateway with its desired state."""

import msgspec

from contracts.messages import DesiredCharging
from device_registry.database import writing
from device_registry.desired import write_desired
from device_registry.models import SiteCharging
from device_registry.places import gateway


async def site_charging(gateway_id: str) -> DesiredCharging | None:
    """The site's charging; None: nobody has set it up. Secrets stand in it. Raises NotFound (gateway)."""
    await gateway(gateway_id)
    row = await SiteCharging.get_or_none(gateway_id=gateway_id)
    return msgspec.convert(row.charging, DesiredCharging) if row is not None else None


async def put_site_charging(gateway_id: str, charging: DesiredCharging, now_ms: int) -> None:
    """Set it; the gateway's desired state grows a version when that changes something. Raises NotFound (gateway)."""
    async with writing():
        await gateway(gateway_id)
        row = await SiteCharging.get_or_none(gateway_id=gateway_id) or SiteCharging(gateway_id=gateway_id)
        row.charging, row.changed_ms = msgspec.to_builtins(charging), now_ms
        await row.save()
        await write_desired(gateway_id, now_ms)
