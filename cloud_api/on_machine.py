"""What is done on the cloud's machine itself, by whoever has it, beside a running cloud; written into the same audit."""

import asyncio
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import device_registry as registry
from cloud_api.audit import Draft
from cloud_api.durable import AUDIT_FILE, open_audit, registry_database
from cloud_api.gateways import gateway_identity
from cloud_api.identity.claims import CLI_ISSUER, NewClaim, claim_link, create_claim
from cloud_api.people.invitations import RECOVERY_HOLDS_MS, recovery_code
from cloud_api.people.sign_in import FIRST_CODE, keep_first_code
from cloud_api.process import ProgramError
from cloud_api.records import APPS
from cloud_api.settings import Settings
from contracts.claim_code import BITS


async def claim(settings: Settings, gateway_id: str, valid_s: int, now_ms: int) -> NewClaim:
    """A claim for a gateway of the registry. Raises ProgramError."""
    if gateway_identity(settings) is None:
        raise ProgramError("LINLI_AUTHORITY_CERT, LINLI_AUTHORITY_KEY and LINLI_GATEWAY_MQTT_CA are needed")
    async with registry.open_database(registry_database(settings), APPS):
        try:
            with registry.database_errors():
                row, code = await create_claim(
                    gateway_id, CLI_ISSUER, valid_s * 1000, now_ms, lambda: f"claim-{secrets.token_hex(8)}",
                    secrets.token_bytes(BITS // 8),
                )  # fmt: skip
                gateway = await registry.gateway(gateway_id)
        except registry.NotFound as error:
            raise ProgramError(str(error)) from error
    await _write_down(settings, now_ms, "create_claim", f"claims/{row.id}", gateway.community_id, gateway=gateway_id)
    return NewClaim(row.id, row.gateway_id, row.expires_ms, code, claim_link(settings.public_url, code))


async def recover(settings: Settings, now_ms: int) -> tuple[Path, int]:
    """When no administrator can sign in any more: a code, as the first one had. Returns its file and until when it holds.

    Raises ProgramError when no cloud has run here.
    """
    if not settings.database_url and not (settings.data_dir / AUDIT_FILE).exists():
        raise ProgramError(f"no cloud has run with its data in {settings.data_dir}")
    await _write_down(settings, now_ms, "recover_administrator", "invitations", "")
    async with registry.open_database(registry_database(settings), APPS):
        with registry.database_errors():
            code = await recovery_code(secrets.token_bytes(BITS // 8), now_ms)
    file = settings.data_dir / FIRST_CODE
    await asyncio.to_thread(keep_first_code, file, code)
    return file, now_ms + RECOVERY_HOLDS_MS


async def write_down_authority(settings: Settings, folder: Path, made: Sequence[str], now_ms: int) -> bool:
    """That certificates were made. Returns False where there is no audit, as before a cloud's first start."""
    if not settings.database_url and not (settings.data_dir / AUDIT_FILE).exists():
        return False
    await _write_down(settings, now_ms, "create_authority", str(folder), "", made=list(made))
    return True


async def _write_down(
    settings: Settings, now_ms: int, action: str, target: str, community: str, **details: Any
) -> None:
    """By whom, as far as a machine knows: the account's number, and whose it was before sudo. Raises ProgramError."""
    who = {"uid": os.getuid()} | ({"sudo_uid": int(uid)} if (uid := os.environ.get("SUDO_UID", "")).isdigit() else {})
    try:
        async with open_audit(settings) as audit:
            await audit.append([Draft(now_ms, CLI_ISSUER, action, target, community, "done", who | details)])
    except registry.DatabaseUnavailable as error:
        raise ProgramError(f"it can't be written into the audit: {error}") from error
