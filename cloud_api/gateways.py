"""Whom gateways are let in by, as the settings say, and what the broker is told of it. Without the rest of the cloud."""

import device_registry as registry
from cloud_api.durable import registry_database
from cloud_api.identity.authority import GatewayAuthority
from cloud_api.identity.certificates import Access, access
from cloud_api.identity.gateways import GatewayIdentity, write_wanted
from cloud_api.process import ProgramError
from cloud_api.records import APPS
from cloud_api.settings import Settings


async def write_broker_access(settings: Settings, now_ms: int) -> Access:
    """Write once, before the broker starts, what ``serve`` keeps: who may come in. Raises ProgramError."""
    identity = gateway_identity(settings)
    if identity is None or settings.broker_access is None:
        raise ProgramError("LINLI_BROKER_ACCESS, LINLI_AUTHORITY_CERT, _KEY and LINLI_GATEWAY_MQTT_CA are needed")
    async with registry.open_database(registry_database(settings), APPS):
        wanted = await access(now_ms)
    write_wanted(identity.authority, settings.broker_access, wanted, now_ms)
    return wanted


def gateway_identity(settings: Settings) -> GatewayIdentity | None:
    """What gateways are provisioned with; None without an authority. Raises ProgramError when it can't be used."""
    if not (settings.authority_cert and settings.authority_key and settings.gateway_mqtt_ca):
        return None
    try:
        authority = GatewayAuthority.load(settings.authority_cert, settings.authority_key, settings.certificate_valid_s)
        broker_authority = settings.gateway_mqtt_ca.read_text()
    except (OSError, ValueError, TypeError) as error:
        raise ProgramError(f"the authority that signs for gateways: {error}") from error
    return GatewayIdentity(authority, broker_authority, settings.gateway_mqtt_host, settings.gateway_mqtt_port)
