"""The gateway's side towards its devices: one MQTT session on the local broker, acknowledged only after the commit."""

from edge_agent.southbound.packets import Publish
from edge_agent.southbound.session import Southbound

__all__ = ["Publish", "Southbound"]
