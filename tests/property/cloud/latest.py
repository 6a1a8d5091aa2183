"""A frame alone: what the faster ways over many frames are held against."""

from collections.abc import Iterator

from cloud_api.live.latest import LiveValue, latest_rows, values_of
from contracts.frame import Columns


def latest_of(columns: Columns) -> Iterator[tuple[str, dict[str, LiveValue]]]:
    """(device, its metrics' values): for each group of the frame, the latest of each of its devices."""
    for group in columns.groups:
        rows = latest_rows(group)
        yield from values_of(columns.devices, group, list(rows), list(rows.values()))
