"""One id a request: in its answer, in problem details, and in every log line that is written while it is answered."""

import logging
import re
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

HEADER = b"x-request-id"
SANE = re.compile(rb"[A-Za-z0-9._-]{1,64}")

_current: ContextVar[str] = ContextVar("request_id", default="")


def current_request_id() -> str:
    """The id of the request that is being answered, "" outside of one."""
    return _current.get()


def log_context() -> Mapping[str, str]:
    """For ``log_as_json``."""
    found = _current.get()
    return {"request_id": found} if found else {}


class RequestIds:
    """Takes the caller's X-Request-Id if it is sane, else makes one. new_id: a fresh one, never given twice."""

    def __init__(self, app: ASGIApp, new_id: Callable[[], str]) -> None:
        self._app = app
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == HEADER), b"")
        request_id = given.decode() if SANE.fullmatch(given) else self._new_id()
        # The server runs each request in a context of its own, and the answer to our own faults is made outside of here:
        # the id is left where it is.
        _current.set(request_id)
        began = time.perf_counter()

        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (HEADER, request_id.encode())]
                extra = {
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": message["status"],
                    "ms": round((time.perf_counter() - began) * 1000, 1),
                }
                level = logging.DEBUG if scope["method"] in ("GET", "HEAD") else logging.INFO
                log.log(level, "request", extra=extra)
            await send(message)

        await self._app(scope, receive, with_id)
