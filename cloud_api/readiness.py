"""What /readyz asks: is each part ready?"""

import os
from pathlib import Path

import device_registry as registry
from cloud_api.durable import Durable
from cloud_api.ingest import BrokerSession, Ingest
from cloud_api.parts import Check
from cloud_api.projections import Progress
from cloud_api.stores import PROJECTIONS, Stores

BEHIND_FRAMES_MAX = 5_000
"""A projection that is further behind is not ready."""
FREE_BYTES_MIN = 4_194_304
"""With less, the disk is as good as full: files grow by pieces."""


def readiness(stores: Stores, progress: Progress, data_dir: Path) -> dict[str, Check]:
    """Part -> is it ready?"""

    async def database() -> str:
        await registry.communities("", 1)
        return ""

    def follows(name: str) -> Check:
        async def check() -> str:
            place = progress.places[name]
            behind = await stores.durable.framelog.last_position() - place.position
            if place.failing:
                return f"stands still, {max(0, behind)} frames behind: {place.failing}"
            return "" if behind <= BEHIND_FRAMES_MAX else f"{behind} frames behind"

        return check

    return {
        "disk": has_room(data_dir),
        "registry": database,
        "frame_log": logging_frames(stores.durable),
        **{name: follows(name) for name in PROJECTIONS},
    }


def has_room(data_dir: Path) -> Check:
    """Can files grow there?"""

    async def check() -> str:
        found = os.statvfs(data_dir)
        free = found.f_bavail * found.f_frsize
        return "" if free >= FREE_BYTES_MIN else f"no room in {data_dir}: {free // 1024} KiB are free"

    return check


def logging_frames(durable: Durable) -> Check:
    """Does the frame log answer?"""

    async def check() -> str:
        await durable.framelog.last_position()
        return ""

    return check


def ingesting(ingest: Ingest) -> Check:
    """Does it take frames?"""

    async def check() -> str:
        return ingest.failing or await connected(ingest.session)()

    return check


def connected(session: BrokerSession) -> Check:
    """Is the broker there?"""

    async def check() -> str:
        return "" if session.connected else "the broker is not there"

    return check
