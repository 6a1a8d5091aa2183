"""Frames for the tests of stores."""

from collections.abc import Sequence

from cloud_api.framelog import IncomingFrame
from cloud_api.projections.runner import OpenFrame
from contracts.frame import decode_columns, encode_frame, read_header
from contracts.messages import Record
from contracts.reading import Clock, Quality, Reading, Sample, Value

EPOCH = "0123456789abcdef"
T0 = 1_790_000_000_000


def reading(device: str, t_ms: int, **values: Value | None) -> Reading:
    """A reading; None is a value that the device called invalid."""
    samples = tuple(
        Sample(metric, value) if value is not None else Sample(metric, None, Quality.BAD, "invalid_marker")
        for metric, value in values.items()
    )
    return Reading(device, t_ms, t_ms, Clock.DEVICE, samples)


def frame(
    seq: int, readings: Sequence[Reading], before: int = 0, gateway: str = "gw-1", epoch: str = EPOCH,
    records: Sequence[Record] = (),
) -> IncomingFrame:  # fmt: skip
    """A frame as ingest hands it to the log."""
    payload = encode_frame(gateway, epoch, "bulk", seq, T0 + seq, before, readings, records)
    return IncomingFrame(read_header(payload), payload, T0 + seq)


def opened(position: int, incoming: IncomingFrame) -> OpenFrame:
    """A frame as a projection takes it."""
    return OpenFrame(position, incoming.received_ms, decode_columns(incoming.payload))
