"""How a gateway's site charges: kept here, given to the gateway with its desired state."""

from collections.abc import Callable

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


async def put_site_charging(
    gateway_id: str, change: Callable[[DesiredCharging | None], DesiredCharging], now_ms: int
) -> DesiredCharging:
    """Set it to what ``change`` makes of what it is; the gateway's desired state grows a version when that is another.

    Nobody else changes it meanwhile. Raises NotFound (gateway), and what ``change`` raises: then nothing is changed.
    """
    async with writing():
        before = await site_charging(gateway_id)
        row = await SiteCharging.get_or_none(gateway_id=gateway_id) or SiteCharging(gateway_id=gateway_id)
        charging = change(before)
        row.charging, row.changed_ms = msgspec.to_builtins(charging), now_ms
        await row.save()
        await write_desired(gateway_id, now_ms)
        return charging
