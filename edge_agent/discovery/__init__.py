"""What speaks on the local broker that no profile reads, and which profile could read it."""

from edge_agent.discovery.catalogue import Catalogue, Unknown
from edge_agent.discovery.discovery import Discovery
from edge_agent.discovery.scoring import Proposer

__all__ = ["Catalogue", "Discovery", "Proposer", "Unknown"]
