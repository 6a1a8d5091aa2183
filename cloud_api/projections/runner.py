"""Moves a projection along the frame log, batch after batch, at its own pace."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

from cloud_api.framelog import FrameLog
from contracts.frame import Columns, decode_columns

log = logging.getLogger(__name__)

RETRY_S = 1.0


class OpenFrame(NamedTuple):
    """A logged frame, its columns open."""

    position: int
    received_ms: int
    columns: Columns


class Projection(Protocol):
    """Something made of the frame log. Data and cursor move in one transaction, so every frame counts once."""

    name: str
    batch_frames: int
    pace_s: float  # least time between two batches: larger ones are cheaper

    async def cursor(self) -> int:
        """The position of the last frame that is in it."""

    async def apply(self, frames: Sequence[OpenFrame]) -> None:
        """Take in these frames and move the cursor to the last of them, both or neither."""

    async def reset(self) -> None:
        """Empty, with the cursor at 0."""


@lru_cache(maxsize=256)
def _open(payload: bytes) -> Columns:
    # Several projections read the same fresh frames one after another. Ingest has checked them: an error is our own.
    return decode_columns(payload)


async def run_projection(projection: Projection, framelog: FrameLog, moved: Callable[[str, int], None]) -> None:
    """Follow the log until cancelled. ``moved`` is told the name and the new cursor after each batch.

    An error of the world (a full disk, a database that is away) is logged and tried again: the projection stands
    still, nothing is lost.
    """
    cursor = -1  # not read yet
    while True:
        try:
            if cursor < 0:
                cursor = await projection.cursor()
                moved(projection.name, cursor)
            await framelog.wait(cursor)
            cursor = await _step(projection, framelog, cursor)
        except OSError as error:
            log.error("projection stands still", extra={"projection": projection.name, "error": str(error)})
            await asyncio.sleep(RETRY_S)
            continue
        moved(projection.name, cursor)
        if projection.pace_s:
            await asyncio.sleep(projection.pace_s)


async def _step(projection: Projection, framelog: FrameLog, cursor: int) -> int:
    logged = await framelog.read(cursor, projection.batch_frames)
    if not logged:
        return cursor
    await projection.apply([OpenFrame(frame.position, frame.received_ms, _open(frame.payload)) for frame in logged])
    return logged[-1].position


async def rebuild(projection: Projection, framelog: FrameLog, progress: Callable[[int, int], None]) -> int:
    """Empty the projection and make it again from the whole log. ``progress`` is told (position, last position).

    Returns the last position. Nothing else may move the projection meanwhile.
    """
    await projection.reset()
    end = await framelog.last_position()
    cursor = 0
    while cursor < end:
        cursor = await _step(projection, framelog, cursor)
        progress(cursor, end)
    return cursor
