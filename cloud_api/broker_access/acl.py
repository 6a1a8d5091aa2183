"""Mosquitto's access list for gateways: a block each, no patterns, so that a block taken out silences its gateway."""

from collections.abc import Iterable

from cloud_api.broker_access.rights import gateway_reads, gateway_writes


def gateways_acl(gateways: Iterable[str]) -> str:
    """The text of ``gateways.acl``: these gateways, and nobody else. Raises ValueError for an id that is none."""
    blocks = ["# Written by the cloud: what is changed here by hand is lost.\n"]
    blocks += [_block(gateway) for gateway in sorted(set(gateways))]
    return "\n".join(blocks)


def _block(gateway: str) -> str:
    lines = [
        f"user {gateway}",
        *(f"topic write {topic}" for topic in gateway_writes(gateway)),
        *(f"topic read {topic}" for topic in gateway_reads(gateway)),
    ]
    return "\n".join(lines) + "\n"
