"""Retained: who is there, the gateways upward and the cloud's ingest downward."""

from contracts.messages.base import Lane, Message


class LaneState(Message, kw_only=True):
    """One lane of the outbox, counted in samples, as the ledger needs it."""

    epoch: str
    lane: Lane
    last_seq: int  # 0: no frame yet
    produced: int  # samples ever framed in this epoch and lane
    oldest_unacked_seq: int  # last_seq + 1 when everything is acked
    buffered: int  # samples in unacked frames
    dropped: int  # samples given up by policy


class GatewayState(Message, kw_only=True):
    """Retained birth, heartbeat and death. Death is the will: same ``session``, online False, no lanes; one with ``at_ms``
    is the gateway's own word that it leaves."""

    online: bool
    session: str  # random, one a connection; pairs a death with its birth
    instance: str = ""  # names the machine and folder of this outbox; a copied one has another
    at_ms: int = 0
    agent_version: str = ""
    desired_version: int = 0
    clock_trusted: bool = True  # False: the machine's clock was impossible and the cloud has not yet given the time
    clock_error_ms: int = -1  # bound of the clock's error, measured against the cloud; -1: never measured
    outbox_bytes: int = 0
    outbox_bytes_max: int = 0
    outbox_hours_until_full: float | None = None  # at the present rate; None: it does not fill
    ask: bool = False  # the gateway wants a Welcome
    heartbeat_ms: int = 0  # how often it says so; 0: not said
    certificate: str = ""  # serial of the certificate by which this session came in; "": not known
    unheard_ms: int = 0  # for how long it has waited for an answer that is late by now: it says, and hears nothing
    lanes: list[LaneState] = []


class IngestState(Message, kw_only=True):
    """Retained: whether ingest is there. Edges hold their frames while it is not."""

    online: bool
    session: str
    at_ms: int = 0
