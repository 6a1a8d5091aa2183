"""Routes at the root for those who run Linli: alive, ready by part, Prometheus."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import BaseModel, Field

from cloud_api.parts import Check
from cloud_api.people.access import PUBLIC

CHECK_S_MAX = 2.0


class Alive(BaseModel):
    """The process answers."""

    status: str = Field("alive", examples=["alive"])


class Ready(BaseModel):
    """`parts`: each part's state, "ready" or why not."""

    ready: bool
    parts: dict[str, str] = Field(examples=[{"registry": "ready", "ingest": "ready"}])


async def _ask(check: Check) -> str:
    try:
        async with asyncio.timeout(CHECK_S_MAX):
            return await check()
    except TimeoutError:
        return f"no answer within {CHECK_S_MAX:g} s"
    except Exception as error:  # noqa: BLE001 -- a check that fails in whatever way is a part that is not ready
        return f"{type(error).__name__}: {error}"


def health_router(
    checks: Mapping[str, Check],
    registry: CollectorRegistry,
    before_metrics: Callable[[], Awaitable[None]] | None = None,
) -> APIRouter:
    """checks: part -> is it ready? before_metrics is awaited first when metrics are asked for."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", summary="Is the process alive?", openapi_extra=PUBLIC)
    async def healthz() -> Alive:
        """Answers as long as the event loop turns."""
        return Alive(status="alive")

    @router.get(
        "/readyz",
        summary="Is every part ready?",
        responses={503: {"model": Ready, "description": "A part is not"}},
        openapi_extra=PUBLIC,
    )
    async def readyz() -> Response:
        """200 when all parts are ready, else 503, with the state of each."""
        found = await asyncio.gather(*map(_ask, checks.values()))
        states = {name: reason or "ready" for name, reason in zip(checks, found, strict=True)}
        body = Ready(ready=not any(found), parts=states)
        return JSONResponse(body.model_dump(), 200 if body.ready else 503)

    @router.get(
        "/metrics",
        summary="Prometheus metrics",
        response_class=PlainTextResponse,
        openapi_extra=PUBLIC,
    )
    async def metrics() -> Response:
        """In Prometheus' text format."""
        if before_metrics is not None:
            await before_metrics()
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router


def health_app(checks: Mapping[str, Check], registry: CollectorRegistry) -> FastAPI:
    """These routes alone, for a program that serves nothing else."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(health_router(checks, registry))
    return app
