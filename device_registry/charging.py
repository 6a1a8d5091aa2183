"""How a gateway's site charges: kept here, given to the gateway with its desired state.

Names of people's cards stay here. Gateways, their frames and with them the frame log know each by an alias that is random and
says nothing; the name can be erased, and what is kept of the alias is nobody's any more.
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from contracts.messages import DesiredCharging, DesiredToken
from device_registry.database import writing
from device_registry.desired import write_desired
from device_registry.errors import NotFound
from device_registry.models import SiteCharging
from device_registry.places import gateway


async def site_charging(gateway_id: str) -> DesiredCharging | None:
    """The site's charging, its tokens by their names; None: nobody has set it up. Secrets stand in it.

    Raises NotFound (gateway).
    """
    await gateway(gateway_id)
    row = await SiteCharging.get_or_none(gateway_id=gateway_id)
    if row is None:
        return None
    charging = msgspec.convert(row.charging, DesiredCharging)
    charging.tokens = [_called(token, row.names.get(token.name, token.name)) for token in charging.tokens]
    return charging


async def put_site_charging(
    gateway_id: str,
    change: Callable[[DesiredCharging | None], DesiredCharging],
    now_ms: int,
    new_alias: Callable[[], str],
) -> DesiredCharging:
    """Set it to what ``change`` makes of what it is; the gateway's desired state grows a version when that is another.

    Nobody else changes it meanwhile. Raises NotFound (gateway), and what ``change`` raises: then nothing is changed.

    new_alias  a fresh one, never given twice
    """
    async with writing():
        before = await site_charging(gateway_id)
        row = await SiteCharging.get_or_none(gateway_id=gateway_id) or SiteCharging(gateway_id=gateway_id)
        charging = change(before)
        aliases = {name: alias for alias, name in row.names.items()}
        for token in charging.tokens:
            aliases.setdefault(token.name, new_alias())
        travelling = msgspec.structs.replace(
            charging, tokens=[_called(token, aliases[token.name]) for token in charging.tokens]
        )
        # Names of tokens that are not in the list any more stay until they are erased: their transactions are to be billed.
        row.names = {alias: name for name, alias in aliases.items()}
        row.charging, row.changed_ms = msgspec.to_builtins(travelling), now_ms
        await row.save()
        await write_desired(gateway_id, now_ms)
        return charging


async def token_names(gateway_ids: Iterable[str]) -> Mapping[tuple[str, str], str]:
    """(gateway, alias) -> the name of the token, of these gateways' tokens that have one still."""
    rows = await SiteCharging.filter(gateway_id__in=list(set(gateway_ids)))
    return {(row.gateway_id, alias): name for row in rows for alias, name in row.names.items()}


async def token_named(gateway_id: str, name: str) -> tuple[str, DesiredToken | None]:
    """The alias of a token, and the token itself while it is in the site's list. Raises NotFound (gateway, token)."""
    await gateway(gateway_id)
    row = await SiteCharging.get_or_none(gateway_id=gateway_id)
    alias = next((alias for alias, known in row.names.items() if known == name), "") if row is not None else ""
    if row is None or not alias:
        raise NotFound("token", name)
    tokens = msgspec.convert(row.charging, DesiredCharging).tokens
    return alias, next((_called(token, name) for token in tokens if token.name == alias), None)


async def erase_token(gateway_id: str, name: str, now_ms: int) -> tuple[str, bool]:
    """Forget a token's name and take it off the site's list. Returns its alias, and whether it was in the list.

    Raises NotFound (gateway, token).
    """
    async with writing():
        alias, token = await token_named(gateway_id, name)
        row = await SiteCharging.get(gateway_id=gateway_id)
        del row.names[alias]
        row.charging["tokens"] = [one for one in row.charging.get("tokens", []) if one["name"] != alias]
        row.changed_ms = now_ms
        await row.save()
        await write_desired(gateway_id, now_ms)
        return alias, token is not None


def _called(token: DesiredToken, name: str) -> DesiredToken:
    return msgspec.structs.replace(token, name=name)
