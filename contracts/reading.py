"""A reading: what one device message yields, before it is framed.

A *sample* is one value of one metric of one device at one time; a *reading* is one or more samples with one time.
"""

from enum import IntEnum
from typing import NamedTuple

Value = bool | int | float | str
"""A sample's value, already in the metric's unit (see ``contracts.vocabulary``). Never NaN or infinite."""


class Quality(IntEnum):
    """How far a value is to be trusted. The numbers travel in frames: append, never renumber."""

    GOOD = 0
    UNCERTAIN = 1
    BAD = 2
    SUBSTITUTED = 3


class Clock(IntEnum):
    """Whose clock gave ``observed_ms``. The numbers travel in frames: append, never renumber."""

    GATEWAY = 0  # the message carried no time: observed_ms is the gateway's arrival time
    DEVICE = 1  # the message carried its own time


class Sample(NamedTuple):
    """One value of one metric.

    metric   name in ``contracts.vocabulary.METRICS``
    value    in the metric's unit and type; None when the device said that it has no valid value
    quality  GOOD unless there is a reason
    reason   snake_case word why quality is not GOOD ("invalid_marker", "out_of_range"), else ""
    """

    metric: str
    value: Value | None
    quality: Quality = Quality.GOOD
    reason: str = ""


class Reading(NamedTuple):
    """The samples of one device at one time.

    device       the id by which the gateway knows the device (external id): 1..128 characters
    observed_ms  event time, ms UTC; never rewritten
    received_ms  when the gateway took the message, ms UTC, gateway clock
    clock        whose clock gave observed_ms
    samples      1..64 samples, no metric twice
    """

    device: str
    observed_ms: int
    received_ms: int
    clock: Clock
    samples: tuple[Sample, ...]
