"""Frames up to the cloud, fresh ones first, until the cloud acknowledges them; everything that comes down."""

from edge_agent.uplink.session import Uplink
from edge_agent.uplink.window import SendWindow

__all__ = ["SendWindow", "Uplink"]
