"""Moves a projection along the frame log, batch after batch, at its own pace."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

from cloud_api.framelog import FrameLog
from contracts.frame import Columns, decode_columns, frame_name

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


class Follower(Protocol):
    """Is told how far a projection is; see ``Progress``."""

    def starts(self, name: str, position: int) -> None: ...
    def moved(self, name: str, frames: Sequence[OpenFrame]) -> None: ...
    def stands(self, name: str, reason: str) -> None: ...


@lru_cache(maxsize=256)
def _open(payload: bytes) -> Columns:
    # Several projections read the same fresh frames one after another. Ingest has checked them: an error is our own.
    return decode_columns(payload)


async def run_projection(projection: Projection, framelog: FrameLog, follower: Follower) -> None:
    """Follow the log until cancelled.

    An error of the world (a full disk, a database that is away) is logged and tried again: the projection stands
    still, nothing is lost. Then it is asked again where it is: it may have been set back meanwhile.
    """
    name = projection.name
    cursor = -1  # not read yet
    while True:
        try:
            if cursor < 0:
                cursor = await projection.cursor()
                follower.starts(name, cursor)
                await _refuse_if_ahead(name, cursor, framelog, follower)
            await framelog.wait(cursor)
            frames = await _step(projection, framelog, cursor)
        except OSError as error:
            follower.stands(name, str(error))
            log.error("projection stands still", extra={"projection": name, "error": str(error)})
            cursor = -1
            await asyncio.sleep(RETRY_S)
            continue
        if not frames:
            continue
        cursor = frames[-1].position
        follower.moved(name, frames)
        if log.isEnabledFor(logging.DEBUG):
            for frame in frames:
                log.debug("frame projected", extra={"frame": frame_name(*frame.columns.header[:4]), "projection": name})
        if projection.pace_s:
            await asyncio.sleep(projection.pace_s)


async def _refuse_if_ahead(name: str, cursor: int, framelog: FrameLog, follower: Follower) -> None:
    """The log was restored without the projection: what comes now would be taken for what is in it. Stand still."""
    end = await framelog.last_position()
    if cursor > end:
        reason = f"ahead of the frame log ({cursor} > {end}): run cloud-api rebuild {name}"
        follower.stands(name, reason)
        log.error("projection stands still", extra={"projection": name, "error": reason})
        await asyncio.Event().wait()


async def _step(projection: Projection, framelog: FrameLog, cursor: int) -> list[OpenFrame]:
    logged = await framelog.read(cursor, projection.batch_frames)
    frames = [OpenFrame(frame.position, frame.received_ms, _open(frame.payload)) for frame in logged]
    if frames:
        await projection.apply(frames)
    return frames


async def rebuild(projection: Projection, framelog: FrameLog, progress: Callable[[int, int], None]) -> int:
    """Empty the projection and make it again from the whole log. ``progress`` is told (position, last position).

    Returns the last position. Nothing else may move the projection meanwhile.
    """
    await projection.reset()
    end = await framelog.last_position()
    cursor = 0
    while cursor < end:
        frames = await _step(projection, framelog, cursor)
        cursor = frames[-1].position if frames else end
        progress(cursor, end)
    return cursor
