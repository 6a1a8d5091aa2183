"""What is free, how old that word is, and how sure."""

from cloud_api.availability.decision import Decision, Latest, decide, joined
from cloud_api.availability.routes import router

__all__ = ["Decision", "Latest", "decide", "joined", "router"]
