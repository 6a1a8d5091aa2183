"""The files that the broker reads: who may come in. Each is replaced in one step; whoever started the broker tells it."""

import os
from collections.abc import Iterable
from pathlib import Path

from cloud_api.broker_access.acl import gateways_acl
from cloud_api.broker_access.nats import nats_access


def write_access(folder: Path, gateways: Iterable[str], holding: Iterable[tuple[str, str]], revoked: bytes) -> None:
    """Mosquitto's ``gateways.acl`` and ``gateways.crl``, and NATS's ``gateways.conf``. Raises OSError.

    holding  (serial, gateway) of each certificate that holds; revoked: the list of those that don't, PEM
    """
    write_file(folder / "gateways.crl", revoked)
    write_file(folder / "gateways.acl", gateways_acl(gateways).encode())
    write_file(folder / "gateways.conf", nats_access(holding).encode())


def write_file(path: Path, content: bytes) -> None:
    """Replace a file that the broker reads in one step: meanwhile it sees the old or the new one. Raises OSError."""
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.chmod(0o644)  # no secret is in it, and the broker runs as another user
    fresh.replace(path)
