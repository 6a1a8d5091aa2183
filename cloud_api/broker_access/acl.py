"""Mosquitto's access list for gateways: a block each, no patterns, so that a block taken out silences its gateway."""

import os
from collections.abc import Iterable
from pathlib import Path

from contracts import topics


def gateways_acl(gateways: Iterable[str]) -> str:
    """The text of ``gateways.acl``: these gateways, and nobody else. Raises ValueError for an id that is none."""
    blocks = ["# Written by `cloud-api acl`: what is changed here by hand is lost.\n"]
    blocks += [_block(gateway) for gateway in sorted(set(gateways))]
    return "\n".join(blocks)


def write_file(path: Path, content: bytes) -> None:
    """Replace a file that the broker reads in one step: meanwhile it sees the old or the new one. Raises OSError."""
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.chmod(0o644)  # no secret is in it, and the broker runs as another user
    fresh.replace(path)


def _block(gateway: str) -> str:
    if not topics.GATEWAY_ID.fullmatch(gateway):
        raise ValueError(f"not a gateway's id: {gateway!r}")
    written = [*(topics.up(gateway, lane) for lane in topics.LANES), topics.state(gateway)]
    read = [
        topics.ack(gateway),
        topics.welcome(gateway),
        topics.command(gateway),
        topics.desired(gateway),
        topics.INGEST,
    ]
    lines = [
        f"user {gateway}",
        *(f"topic write {topic}" for topic in written),
        *(f"topic read {topic}" for topic in read),
    ]
    return "\n".join(lines) + "\n"
