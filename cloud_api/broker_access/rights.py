"""The rights at the cloud's broker, once: each broker's own form of them is made from here."""

from contracts import topics

TAKING_SERVICES = ("cloud-api", "ingest-1", "ingest-2")
"""The cloud's programs that hear gateways and tell them."""
SERVICES = (*TAKING_SERVICES, "health")
CERTIFICATE_URN = "urn:linli:certificate:"
"""With the serial: a gateway's certificate names itself, for a broker that can't read lists of revoked ones."""
SERVICE_URN = "urn:linli:service:"
"""With the name: a service's certificate says so beside its common name. Gateways' authority never signs such."""

TAKING_READ = (topics.ALL_UP, topics.ALL_STATE)
TAKING_WRITE = (f"{topics.ROOT}/+/down/+", f"{topics.ROOT}/+/desired")
TAKING_BOTH = (topics.INGEST,)


def gateway_writes(gateway: str) -> list[str]:
    """Topics that a gateway may write. Raises ValueError for an id that is none."""
    _known(gateway)
    return [*(topics.up(gateway, lane) for lane in topics.LANES), topics.state(gateway)]


def gateway_reads(gateway: str) -> list[str]:
    """Topics that a gateway may read. Raises ValueError for an id that is none."""
    _known(gateway)
    return [
        topics.ack(gateway),
        topics.welcome(gateway),
        topics.certificate(gateway),
        topics.command(gateway),
        topics.desired(gateway),
        topics.INGEST,
    ]


def _known(gateway: str) -> None:
    if not topics.GATEWAY_ID.fullmatch(gateway):
        raise ValueError(f"not a gateway's id: {gateway!r}")
