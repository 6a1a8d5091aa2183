"""Build the HTTP application from its parts. Nothing is created at import."""

import time
from collections.abc import Mapping
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import device_registry as registry
from cloud_api import availability, bins, charging, communities, console, health, vocabulary
from cloud_api.approvals import routes as approvals_routes
from cloud_api.audit import routes as audit_routes
from cloud_api.audit.recording import AuditRequests
from cloud_api.body_limit import BodyLimit
from cloud_api.commands import routes as commands
from cloud_api.communities import community_of
from cloud_api.devices import readings
from cloud_api.devices import routes as devices
from cloud_api.discoveries import routes as discoveries_routes
from cloud_api.docs_page import docs_page
from cloud_api.framelog import routes as framelog_routes
from cloud_api.identity import routes as identity_routes
from cloud_api.ledger import routes as ledger_routes
from cloud_api.live.routes import Seen
from cloud_api.live.routes import router as live_router
from cloud_api.pages import refuse_unknown_parameters
from cloud_api.parts import Parts
from cloud_api.people import passkey_routes, provider_routes, session_routes, user_routes
from cloud_api.people.access import PUBLIC, SAID, SECURITY_SCHEMES, SeesNothing, check_declared, enforce
from cloud_api.personal_data import routes as personal_data_routes
from cloud_api.problems import MEDIA_TYPE, ProblemDetails, add_handlers, responses
from cloud_api.profiles import routes as profiles_routes
from cloud_api.quality import routes as quality_routes
from cloud_api.quarantine import routes as quarantine_routes
from cloud_api.request_ids import RequestIds
from contracts import VERSION

DESCRIPTION = (
    "Linli runs the shared facilities of residential communities. Times are integers, milliseconds UTC, in fields that "
    "end in _ms. Lists come as {items, next_cursor}. Errors are RFC 9457 problem details with a stable type. "
    "People sign in with POST sessions, machines send a token; x-linli-access of each operation says who may use it. "
    "What belongs to a community where the caller may not do that is not found."
)


OPENAPI = "/api/v1/openapi.json"


def build_app(parts: Parts) -> FastAPI:
    """The application: the API under /api/v1, health at the root, pages at /docs, everything else is the console.

    Raises AccessUndeclared for a route that does not say who may use it.
    """
    app = FastAPI(
        title="Linli",
        version=VERSION,
        description=DESCRIPTION,
        openapi_url=OPENAPI,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(enforce), Depends(refuse_unknown_parameters)],
        responses=responses("parameter_invalid", "parameter_unknown"),
        generate_unique_id_function=_operation_id,
    )
    app.state.parts = parts
    add_handlers(app)
    for router in (
        communities.router,
        devices.router,
        readings.router,
        discoveries_routes.router,
        vocabulary.router,
        commands.router,
        approvals_routes.router,
        availability.router,
        charging.router,
        charging.site_router,
        bins.router,
        ledger_routes.router,
        framelog_routes.router,
        quarantine_routes.router,
        profiles_routes.router,
        quality_routes.router,
        identity_routes.router,
        audit_routes.router,
        personal_data_routes.router,
        session_routes.router,
        passkey_routes.router,
        provider_routes.router,
        user_routes.router,
        live_router(parts.live, lambda spans: parts.quality.doubts_of(spans), _seen, parts.clock),
    ):
        app.include_router(router, prefix="/api/v1")
    app.include_router(health.health_router(parts.checks, parts.metrics, parts.before_metrics))
    app.openapi = lambda: openapi_document(app)  # type: ignore[method-assign]

    @app.get("/docs", include_in_schema=False, openapi_extra=PUBLIC)
    async def docs() -> HTMLResponse:
        page = docs_page(app.openapi())
        # The page has its styles within; it has no scripts at all.
        return HTMLResponse(page, headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"})

    app.include_router(console.console_router(parts.console))
    app.add_middleware(BodyLimit)
    app.add_middleware(AuditRequests, audit=parts.audit, clock=parts.clock, community_of=community_of)
    app.add_middleware(SeesNothing)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestTimes, registry=parts.metrics)
    app.add_middleware(RequestIds, new_id=parts.new_request_id)
    check_declared(app.routes, frozenset({OPENAPI}))
    return app


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """OpenAPI 3.1 of all routes, with the problem details that they refer to."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        problem = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(problem.pop("$defs", {}))
        schemas["ProblemDetails"] = problem
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        document["components"]["securitySchemes"] = SECURITY_SCHEMES
        for path, operations in document["paths"].items():
            for operation in operations.values():
                _add_refusals(operation, path.startswith("/api/"))
        document["components"]["schemas"] = dict(sorted(schemas.items()))
        app.openapi_schema = document
    return app.openapi_schema


def _add_refusals(operation: dict[str, Any], is_api: bool) -> None:
    """What may be answered in the place of the route: by ``enforce``, for a body that is too large or can't be read, and
    while the database is away."""
    access = operation[SAID]
    words = ["bad_request", "body_too_large"] if "requestBody" in operation else []
    words += ["not_ready"] if is_api else []
    if access["where"] != "public":
        words += ["not_signed_in", "foreign_page"] + (["not_allowed"] if "permission" in access else [])
    for status, entry in responses(*words).items():
        known = operation["responses"].setdefault(str(status), entry)
        if known is entry:
            continue
        said, added = known["content"][MEDIA_TYPE]["examples"], entry["content"][MEDIA_TYPE]["examples"]
        if not added.keys() <= said.keys():
            known["description"] += f"; {entry['description']}"
        said |= added


async def _seen(where: Mapping[str, str]) -> Seen:
    """What the live stream's filters mean, within what the caller may see."""
    devices = await registry.sources_of_all(await registry.devices(registry.DeviceFilter(**where)))
    return Seen(devices, await registry.visible_gateways())


def _operation_id(route: APIRoute) -> str:
    return route.name


class SecurityHeaders:
    """Puts the console's headers on every response that has not its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._headers = [(name.lower().encode(), value.encode()) for name, value in console.HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name for name, _ in message["headers"]}
                ours = [*self._headers, *_headers_for(scope)]
                message["headers"] = [*message["headers"], *(one for one in ours if one[0] not in there)]
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


def _headers_for(scope: Scope) -> list[tuple[bytes, bytes]]:
    """What depends on the request: what the API says is nobody's to keep; where TLS is, plain text is over for a year."""
    found = []
    if scope["path"].startswith("/api/"):
        found.append((b"cache-control", b"no-store"))
    if scope["scheme"] == "https":
        found.append((b"strict-transport-security", b"max-age=31536000; includeSubDomains"))
    return found


def _template(scope: Scope) -> str:
    """The route's template, of which there is a bounded number; "console" for everything that is not the API's."""
    route = str(getattr(scope.get("route"), "path", "none"))
    if route == "/{path:path}":
        return "console"
    return f"/api/v1{route}" if scope["path"].startswith("/api/v1/") and not route.startswith("/api/") else route


class RequestTimes:
    """Measures how long the first byte of a response takes, by route, method and status."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self._app = app
        self._seconds = Histogram(
            "linli_http_request_seconds",
            "Time to the first byte of a response",
            ("route", "method", "status"),
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._seconds.labels(_template(scope), scope["method"], message["status"]).observe(
                    time.perf_counter() - began
                )
            await send(message)

        await self._app(scope, receive, measured)
