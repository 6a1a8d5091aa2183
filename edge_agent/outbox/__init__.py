"""The outbox: the gateway's durable log of frames, and what must be true together with them."""

from edge_agent.outbox.batch import Batch, CommandEntry, SeenDevice
from edge_agent.outbox.outbox import CommittedFrame, Outbox

__all__ = ["Batch", "CommandEntry", "CommittedFrame", "Outbox", "SeenDevice"]
