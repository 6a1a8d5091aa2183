"""The outbox: the gateway's durable log of frames, and what must be true together with them."""

from edge_agent.outbox.batch import Batch, CommandEntry, SeenDevice
from edge_agent.outbox.framing import CommittedFrame
from edge_agent.outbox.outbox import Outbox

__all__ = ["Batch", "CommandEntry", "CommittedFrame", "Outbox", "SeenDevice"]
