"""What is asked over HTTP is written down, here for all routes: what changes something, and who looks at personal data.

The answer leaves when its entry is on disk. If that can't be, the answer is 503: what was asked may have been done, and it may
be asked again.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloud_api.actor import actor_of
from cloud_api.audit.entries import Draft
from cloud_api.audit.log import AuditLog
from cloud_api.problems import problem_of, unavailable
from cloud_api.request_ids import current_request_id
from device_registry import UNAVAILABLE

log = logging.getLogger(__name__)

ROOT = "/api/v1/"
NOTES = "linli.audit.notes"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})

CommunityOf = Callable[[Mapping[str, Any]], Awaitable[str]]
"""A path's parameters -> the community that they are of, "" when that is none or not known."""


async def reads_personal_data() -> None:
    """In a route's ``dependencies``: who asks for this is written down though nothing changes."""


def note(request: Request, **details: Any) -> None:
    """Add to this request's entry what its path does not say. Never a secret, never a person's name."""
    request.scope.setdefault(NOTES, {}).update(details)


class AuditRequests:
    """ASGI. community_of: asked after the request, of the parameters of its path."""

    def __init__(self, app: ASGIApp, audit: AuditLog, clock: Callable[[], int], community_of: CommunityOf) -> None:
        self._app = app
        self._audit = audit
        self._clock = clock
        self._community_of = community_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answered = replaced = False

        async def written_down(message: Message) -> None:
            nonlocal answered, replaced
            if message["type"] == "http.response.start" and is_audited(scope):
                answered = True
                replaced = not await self._write(scope, message["status"])
                if replaced:
                    await unavailable(Request(scope))(scope, receive, send)
            if not replaced:
                await send(message)

        try:
            await self._app(scope, receive, written_down)
        except Exception:
            if not answered and is_audited(scope):
                await self._write(scope, 500)
            raise

    async def _write(self, scope: Scope, status: int) -> bool:
        """Returns whether it is written down."""
        actor = actor_of(scope)
        try:
            details = {
                "address": actor.address,
                "request_id": current_request_id(),
                "status": status,
                **({"problem": problem} if (problem := problem_of(scope)) else {}),
                **scope.get(NOTES, {}),
            }
            await self._audit.append(
                Draft(
                    at_ms=self._clock(),
                    actor=actor.id,
                    action=scope["route"].name,
                    target=scope["path"].removeprefix(ROOT),
                    community=await self._community_of(scope.get("path_params", {})),
                    outcome="done" if status < 400 else "refused" if status < 500 else "failed",
                    details=details,
                )
            )
        except UNAVAILABLE as error:
            log.error("a request can't be written down", extra={"path": scope["path"], "error": str(error)})
            return False
        return True


def is_audited(scope: Scope) -> bool:
    """Whether the route that the request went to is one of those whose use is written down."""
    route = scope.get("route")
    if not isinstance(route, APIRoute):
        return False
    personal = any(each.dependency is reads_personal_data for each in route.dependencies)
    return personal or scope["method"] not in _READING
