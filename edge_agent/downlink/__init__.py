"""What comes down: commands for devices, and the desired state."""

from edge_agent.downlink.authenticity import Authenticity
from edge_agent.downlink.executor import Executor, Outcome

__all__ = ["Authenticity", "Executor", "Outcome"]
