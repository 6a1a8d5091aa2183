"""The event log's line: one JSON object an utterance; the same event gives the same bytes."""

import msgspec

from simulators.world.device import Event

_ENCODE = msgspec.json.Encoder().encode


def event_line(event: Event) -> bytes:
    """``{"at_ms", "device", "model", "cause", "says", "true", "fault"}`` and a line feed.

    ``true`` holds only what differs from what the device says (all of it when the device is silent).
    """
    differing = (
        {
            metric: value
            for metric, value in event.true.items()
            if metric not in event.says or event.says[metric] != value
        }
        if event.fault
        else {}
    )
    return _ENCODE(event._replace(true=differing)._asdict()) + b"\n"
