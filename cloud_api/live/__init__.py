"""The present: each source's latest value of each metric by event time, and the stream that tells of changes."""

from cloud_api.live.hub import WAITING_MAX, Event, Hub, Source, Subscription
from cloud_api.live.latest import LiveValue
from cloud_api.live.state import LiveState

__all__ = ["WAITING_MAX", "Event", "Hub", "LiveState", "LiveValue", "Source", "Subscription"]
