"""What every route needs, said next to the route and enforced here alone.

    @router.get("/devices", openapi_extra=needs(Permission.SEE))

It is data in the OpenAPI document (``x-linli-access``), so that people, the tests' matrix and this module read the same word. A
route that says nothing can't be built (``check_declared``). Default is deny twice over: a request begins with no community in
sight (``SeesNothing``), and only ``enforce`` shows it those in which its caller has the route's permission.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import Depends, Request
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

import device_registry as registry
from cloud_api.actor import SCOPE, Actor
from cloud_api.parts import Parts
from cloud_api.people.origin import foreign_page, origin_fault
from cloud_api.people.roles import MAY, Caller, Permission, Role
from cloud_api.people.sign_in import Secret
from cloud_api.problems import Problem

SAID = "x-linli-access"
COOKIE, SECURE_COOKIE = "linli_session", "__Host-linli_session"
"""The second where the address is https: a browser takes it from nobody but this very host, and never without encryption."""

Where = Literal["public", "signed_in", "communities", "everywhere"]


class Access(NamedTuple):
    """What a route needs.

    public       nothing
    signed_in    somebody: it gives what is his own
    communities  the permission, somewhere: only what belongs there is there
    everywhere   the permission for all communities: it changes what they share
    """

    where: Where
    permission: Permission | None = None


class AccessUndeclared(TypeError):
    """A route does not say what it needs."""


def _declared(access: Access) -> dict[str, Any]:
    said: dict[str, Any] = {"where": access.where}
    if access.permission is not None:
        said["permission"] = access.permission.value
        said["roles"] = [role.value for role in Role if access.permission in MAY[role]]
    return {SAID: said, "security": [] if access.where == "public" else [{"session": []}, {"token": []}]}


PUBLIC = _declared(Access("public"))
SIGNED_IN = _declared(Access("signed_in"))
SECURITY_SCHEMES = {
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": SECURE_COOKIE,
        "description": "A browser's, by POST sessions",
    },
    "token": {"type": "http", "scheme": "bearer", "description": "A machine's, by POST tokens"},
}


def needs(permission: Permission) -> dict[str, Any]:
    """For a route's ``openapi_extra``: the permission, in the communities for which the caller has it."""
    return _declared(Access("communities", permission))


def needs_everywhere(permission: Permission) -> dict[str, Any]:
    """For a route's ``openapi_extra``: the permission, for all communities."""
    return _declared(Access("everywhere", permission))


def access_of(route: APIRoute) -> Access:
    """What this route has said. Raises AccessUndeclared."""
    said = (route.openapi_extra or {}).get(SAID)
    if said is None:
        raise AccessUndeclared(
            f"{'/'.join(sorted(route.methods or ()))} {route.path}: say who may, openapi_extra=needs(Permission...)"
        )
    return Access(said["where"], Permission(said["permission"]) if "permission" in said else None)


def check_declared(routes: Iterable[BaseRoute], plain: frozenset[str]) -> None:
    """plain: paths of routes that are none of FastAPI's, and public. Raises AccessUndeclared."""
    for context in iter_route_contexts(list(routes)):
        if isinstance(context.original_route, APIRoute):
            access_of(context.original_route)
        elif context.path not in plain:
            raise AccessUndeclared(f"{context.path}: this kind of route is not guarded")


class SeesNothing:
    """ASGI: a request sees no community's rows until it is known who asks."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        with registry.within(registry.NOWHERE):
            await self._app(scope, receive, send)


async def enforce(request: Request) -> None:
    """A dependency of the whole application. Raises Problem not_signed_in, not_allowed, foreign_page."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        raise Problem("not_allowed", "nothing is known of who may use this")
    access = access_of(route)
    if access.where == "public":
        registry.see(registry.EVERYWHERE)
        return
    caller = await _identified(request)
    request.state.caller = caller
    address = request.client.host if request.client is not None else ""
    request.scope.setdefault(SCOPE, Actor(caller.user_id, address))
    if access.permission is None:
        return
    communities = caller.where(access.permission)
    if communities == registry.NOWHERE:
        raise Problem(
            "not_allowed", f"this needs the permission {access.permission.value!r}; you do not have it anywhere"
        )
    if access.where == "everywhere" and communities is not registry.EVERYWHERE:
        raise Problem("not_allowed", f"this needs the permission {access.permission.value!r} for all communities")
    registry.see(communities)


def _caller(request: Request) -> Caller:
    caller = request.state.caller
    assert isinstance(caller, Caller)
    return caller


CallerDep = Annotated[Caller, Depends(_caller)]
"""Who asks, in any route that is not public."""


def secret_of(request: Request) -> Secret | None:
    """What the request carries; a token counts before a cookie."""
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return Secret("token", text.strip())
    cookie = request.cookies.get(cookie_name(request))
    return Secret("session", cookie) if cookie else None


def cookie_name(request: Request) -> str:
    """The session's cookie at this address."""
    return SECURE_COOKIE if request.url.scheme == "https" else COOKIE


def own_origin(request: Request) -> str:
    """What a browser calls the origin of our own pages."""
    return f"{request.url.scheme}://{request.url.netloc}"


def refuse_foreign_page(request: Request) -> None:
    """For signing in, where no cookie is yet: no other page may sign a browser in. Raises Problem foreign_page."""
    if fault := foreign_page(request.headers, own_origin(request)):
        raise Problem("foreign_page", fault)


def still_there(request: Request, permission: Permission) -> Callable[[], Awaitable[bool]]:
    """For answers that last: asks whether the caller may still see just what it could when it began."""
    parts: Parts = request.app.state.parts
    secret = secret_of(request)
    began: Caller = request.state.caller

    async def is_there() -> bool:
        now = await parts.door.who(secret, parts.clock(), uses=False) if secret else None
        return now is not None and now.where(permission) == began.where(permission)

    return is_there


async def _identified(request: Request) -> Caller:
    parts: Parts = request.app.state.parts
    secret = secret_of(request)
    caller = await parts.door.who(secret, parts.clock()) if secret else None
    if secret is None or caller is None:
        raise Problem(
            "not_signed_in",
            "sign in with POST /api/v1/sessions, or send a token: Authorization: Bearer ...",
            headers={"WWW-Authenticate": "Bearer"},
        )
    if secret.kind == "session" and (fault := origin_fault(request.method, request.headers, own_origin(request))):
        raise Problem("foreign_page", fault)
    return caller
