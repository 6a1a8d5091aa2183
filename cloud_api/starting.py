"""A database server that is away at the start, or a disk without room: wait, answer meanwhile at the door, then begin."""

import asyncio
import errno
import logging
import random
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry

from cloud_api.health import health_app
from cloud_api.problems import unavailable
from cloud_api.telemetry import StoreAway
from cloud_api.web_server import web_server
from device_registry import DatabaseUnavailable

log = logging.getLogger(__name__)

Opened = TypeVar("Opened")

RETRY_S_MAX = 5.0
_WRONG = ("28", "3D", "42")
"""Classes of SQLSTATE that waiting does not mend: who we are, the database's name, what we may do there."""
_PASSING = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
"""What a disk says that waiting may mend: ended, the program would only be started again and again."""


async def until_there(
    opening: Callable[[], Awaitable[Opened]],
    listener: socket.socket | None,
    stop: asyncio.Event,
    jitter: random.Random,
) -> Opened | None:
    """Try ``opening`` with full jitter until neither the database nor the disk stops it; None when ``stop`` came first.

    listener  the program's listening socket: while there is no database, /readyz says so there and all else is 503
    Raises DatabaseUnavailable when it is the settings that are wrong, such as a password or an authority, and OSError.
    """
    try:
        return await opening()
    except OSError as error:
        _raise_unless_away(error)
        reasons = [str(error)]
    async with _door(listener, reasons):
        attempt = 0
        while True:
            log.warning("the database is not there", extra={"error": reasons[-1], "attempt": attempt})
            with suppress(TimeoutError):
                async with asyncio.timeout(jitter.uniform(0, min(RETRY_S_MAX, 0.2 * 2**attempt))):
                    await stop.wait()
            if stop.is_set():
                return None
            try:
                return await opening()
            except OSError as error:
                _raise_unless_away(error)
                reasons[:] = [str(error)]
                attempt = min(attempt + 1, 8)


def _raise_unless_away(error: OSError) -> None:
    if not isinstance(error, DatabaseUnavailable | StoreAway) and error.errno not in _PASSING:
        raise error
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError) or (getattr(cause, "sqlstate", None) or "")[:2] in _WRONG:
            raise error
        cause = cause.__cause__


@asynccontextmanager
async def _door(listener: socket.socket | None, reasons: list[str]) -> AsyncIterator[None]:
    if listener is None:
        yield
        return
    server = web_server(_door_app(reasons))
    serving = asyncio.create_task(server.serve([listener.dup()]), name="http until the database is there")
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def _door_app(reasons: list[str]) -> FastAPI:
    async def database() -> str:
        return reasons[-1]

    app = health_app({"database": database}, CollectorRegistry())

    @app.exception_handler(404)
    async def not_yet(request: Request, error: Exception) -> Response:
        return unavailable(request)

    return app
