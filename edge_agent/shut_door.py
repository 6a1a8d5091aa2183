"""The health door while the outbox can't be opened: the agent is alive, not ready, and says why."""

import asyncio
import json
import logging
import os
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from contracts import VERSION
from edge_agent.health import serve_health
from edge_agent.settings import Settings

log = logging.getLogger(__name__)


class ShutDoor:
    """Opens with the first word of what is wrong."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reason = ""
        self._serving: asyncio.Task[None] | None = None

    def say(self, reason: str) -> None:
        """Why the outbox can't be opened."""
        self._reason = reason
        if self._serving is None:
            door = self._settings.health_host, self._settings.health_port
            serving = serve_health(
                *door, self._look, list, CollectorRegistry(), lambda port: say_where(self._settings, port)
            )
            self._serving = asyncio.create_task(serving, name="health")

    async def _look(self) -> dict[str, Any]:
        return {
            "gateway": self._settings.gateway_id,
            "version": VERSION,
            "epoch": "",
            "ready": {"local_broker": False, "outbox": False},
            "parts": {"local_broker": "not connected yet", "outbox": self._reason},
            "cloud": {},
            "counters": {},
            "gauges": {},
            "refused": {},
            "lanes": [],
        }

    async def close(self) -> None:
        """Before the agent's own door opens."""
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.wait([self._serving])


def say_where(settings: Settings, port: int) -> None:
    """Leave word where the health door is, for `edge-agent status`."""
    path = Path(settings.data_dir) / "agent.json"
    fresh = path.with_suffix(".new")
    try:
        fresh.write_text(json.dumps({"pid": os.getpid(), "host": settings.health_host, "port": port}))
        fresh.replace(path)
    except OSError as error:  # a full disk must not keep the agent from its work
        log.error("where the health door is can't be written", extra={"error": str(error), "port": port})
