"""The NATS server's access list: a user for each certificate that holds, known by the URI that names the certificate.

NATS reads no list of revoked certificates. It asks whose certificate this is each time somebody comes in, and of everybody
who is in when it reads its configuration again (SIGHUP): a certificate that is taken out here is cut off at once.
"""

import json
import re
from collections.abc import Iterable, Sequence

from cloud_api.broker_access.rights import (
    CERTIFICATE_URN,
    SERVICE_URN,
    TAKING_BOTH,
    TAKING_READ,
    TAKING_SERVICES,
    TAKING_WRITE,
    gateway_reads,
    gateway_writes,
)
from contracts.nats_subjects import nats_subjects

_SERIAL = re.compile(r"[0-9a-f]{40}")


def nats_access(holding: Iterable[tuple[str, str]]) -> str:
    """The text of ``gateways.conf``: (serial, gateway) of each certificate that holds, and the cloud's own programs.

    Raises ValueError for a serial or a gateway's id that is none.
    """
    users = [
        _user(SERVICE_URN + name, [*TAKING_WRITE, *TAKING_BOTH], [*TAKING_READ, *TAKING_BOTH])
        for name in TAKING_SERVICES
    ]
    for serial, gateway in sorted(holding):
        if not _SERIAL.fullmatch(serial):
            raise ValueError(f"not a serial number: {serial!r}")
        users.append(_user(CERTIFICATE_URN + serial, gateway_writes(gateway), gateway_reads(gateway)))
    lines = ["# Written by the cloud: what is changed here by hand is lost.", "authorization {", "  users = [", *users]
    return "\n".join([*lines, "  ]", "}", ""])


def _user(name: str, writes: Sequence[str], reads: Sequence[str]) -> str:
    allowed = {"publish": {"allow": _subjects(writes)}, "subscribe": {"allow": _subjects(reads)}}
    return f'    {{user: {json.dumps(name)}, allowed_connection_types: ["MQTT"], permissions: {json.dumps(allowed)}}}'


def _subjects(topic_filters: Sequence[str]) -> list[str]:
    return [subject for each in topic_filters for subject in nats_subjects(each)]
