"""Errors over HTTP: RFC 9457 problem details with a stable ``type``.

A route raises ``Problem("word", "what was wrong here")``. Every word is in the table below, with its status and title;
docs and tests are held against it. Nothing else leaves the API with a status of 400 or above.
"""

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from cloud_api.request_ids import current_request_id
from cloud_api.telemetry import StoreAway
from device_registry import OF_A_VALUE, UNAVAILABLE, Conflict, NotFound, is_of_a_value

log = logging.getLogger(__name__)

TYPE_ROOT = "https://linli.invalid/problems/"
MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2


class Kind(NamedTuple):
    """One kind of problem: the HTTP status and the title that go with its word."""

    status: int
    title: str


PROBLEMS: Mapping[str, Kind] = {
    "body_too_large": Kind(413, "The request's body is too large"),
    "bad_request": Kind(400, "The request can't be read"),
    "idempotency_key_missing": Kind(400, "A command needs an Idempotency-Key header"),
    "not_found": Kind(404, "There is no such thing"),
    "method_not_allowed": Kind(405, "This path does not take this method"),
    "conflict": Kind(409, "The change contradicts what is there"),
    "idempotency_key_reused": Kind(409, "This Idempotency-Key was used for another command"),
    "selection_needed": Kind(409, "This verb is selected first"),
    "selection_refused": Kind(409, "The selection does not hold for this"),
    "state_changed": Kind(409, "The device is not as it was when it was selected"),
    "approval_needed": Kind(409, "This takes a second person"),
    "approval_refused": Kind(409, "The approval does not hold for this"),
    "same_person": Kind(403, "Another person decides about this"),
    "device_pending": Kind(409, "The device is not adopted"),
    "no_authority": Kind(409, "This cloud signs no certificates"),
    "not_signed_in": Kind(401, "Nobody is signed in"),
    "sign_in_refused": Kind(401, "Name, password or code is wrong"),
    "code_needed": Kind(401, "The authenticator's code is needed"),
    "passkey_needed": Kind(401, "A passkey is needed"),
    "passkey_refused": Kind(422, "The passkey can't be taken"),
    "no_passkeys": Kind(409, "Passkeys can't be used at this address"),
    "sign_in_again": Kind(403, "This needs a session that has just begun"),
    "not_allowed": Kind(403, "This caller may not do that"),
    "foreign_page": Kind(403, "The request does not come from a page of this address"),
    "https_needed": Kind(403, "Signing in needs https"),
    "no_provider": Kind(409, "There is no sign-in provider"),
    "provider_refused": Kind(401, "The sign-in provider's word does not hold"),
    "not_invited": Kind(403, "Nobody has invited this person"),
    "invitation_refused": Kind(403, "The invitation lets nobody in"),
    "password_refused": Kind(422, "This can't be a password"),
    "claim_unknown": Kind(403, "There is no such claim"),
    "claim_for_another_site": Kind(403, "The claim is for another site"),
    "claim_used": Kind(409, "The claim has been used"),
    "claim_expired": Kind(410, "The claim has expired"),
    "claim_withdrawn": Kind(410, "The claim was taken back"),
    "request_unreadable": Kind(422, "The certificate request can't be read"),
    "request_key_refused": Kind(422, "The request's key is of the wrong kind"),
    "request_altered": Kind(422, "The request is not signed by its own key"),
    "request_names_another": Kind(422, "The request names another gateway"),
    "too_many_attempts": Kind(429, "Too many attempts have failed"),
    "command_ended": Kind(409, "The command has ended"),
    "profile_invalid": Kind(422, "The profile is wrong"),
    "body_invalid": Kind(422, "The request's body is wrong"),
    "parameter_invalid": Kind(422, "A parameter is wrong"),
    "parameter_unknown": Kind(422, "There is no such parameter"),
    "cursor_invalid": Kind(422, "This cursor does not belong to this list"),
    "metric_unknown": Kind(422, "There is no such metric"),
    "range_invalid": Kind(422, "The time range can't be answered"),
    "verb_unsupported": Kind(422, "The device has no such verb"),
    "arguments_invalid": Kind(422, "The verb does not take these arguments"),
    "internal": Kind(500, "Linli failed"),
    "too_many_streams": Kind(503, "No more live streams can be open"),
    "not_ready": Kind(503, "A part is not ready"),
}


class Fault(BaseModel):
    """One thing that is wrong with a request."""

    where: str = Field(examples=["query.limit"])
    message: str = Field(examples=["Input should be less than or equal to 1000"])


class ProblemDetails(BaseModel):
    """RFC 9457. ``type`` is stable; programs decide by it, people read ``detail``. ``request_id`` stands in the logs."""

    type: str = Field(examples=[TYPE_ROOT + "not_found"])
    title: str = Field(examples=["There is no such thing"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no device 'dev-aaaaaaaaaaaaaaaa'"])
    instance: str = Field("", examples=["/api/v1/devices/dev-aaaaaaaaaaaaaaaa"])
    request_id: str = Field("", examples=["req-9f3b0c2d4e5a6178"])
    errors: list[Fault] = []


class Problem(Exception):
    """What a route raises. word: a key of PROBLEMS; detail: a sentence about this very case; headers: of the answer."""

    def __init__(
        self, word: str, detail: str, errors: list[Fault] | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{word}: {detail}")
        self.word = word
        self.detail = detail
        self.errors = errors or []
        self.headers = headers or {}


_WORD = "linli.problem"


def problem_of(scope: Any) -> str:
    """The word of the problem that this request's ASGI scope was answered with, "" without one."""
    return str(scope.get(_WORD, ""))


def answer(request: Request, word: str, detail: str, errors: list[Fault] | None = None) -> JSONResponse:
    """The response for a problem."""
    kind = PROBLEMS[word]
    request.scope[_WORD] = word
    body = ProblemDetails(
        type=TYPE_ROOT + word,
        title=kind.title,
        status=kind.status,
        detail=detail,
        instance=request.url.path,
        request_id=current_request_id(),
        errors=errors or [],
    )
    return JSONResponse(body.model_dump(), kind.status, media_type=MEDIA_TYPE)


def unavailable(request: Request) -> JSONResponse:
    """The response while the database is away."""
    response = answer(request, "not_ready", "the database can't be used now; try again")
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def responses(*words: str) -> dict[int | str, dict[str, Any]]:
    """For a route's ``responses=``: the problems it may answer with, in OpenAPI's form."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for word in words:
        kind = PROBLEMS[word]
        entry = by_status.setdefault(kind.status, {"description": "", "content": {MEDIA_TYPE: {"examples": {}}}})
        entry["description"] = "; ".join(filter(None, (entry["description"], f"{word}: {kind.title}")))
        content = entry["content"][MEDIA_TYPE]
        content["schema"] = {"$ref": "#/components/schemas/ProblemDetails"}
        content["examples"][word] = {
            "value": {"type": TYPE_ROOT + word, "title": kind.title, "status": kind.status, "detail": "...",
                      "instance": "/api/v1/...", "request_id": "req-...", "errors": []}
        }  # fmt: skip
    return by_status


def add_handlers(app: FastAPI) -> None:
    """Turn every way in which a request can fail into problem details."""

    @app.exception_handler(Problem)
    async def problem(request: Request, error: Problem) -> JSONResponse:
        response = answer(request, error.word, error.detail, error.errors)
        response.headers.update(error.headers)
        return response

    @app.exception_handler(NotFound)
    async def not_found(request: Request, error: NotFound) -> JSONResponse:
        return answer(request, "not_found", str(error))

    @app.exception_handler(Conflict)
    async def conflict(request: Request, error: Conflict) -> JSONResponse:
        return answer(request, "conflict", str(error))

    async def no_database(request: Request, error: Exception) -> JSONResponse:
        if is_of_a_value(error):
            return answer(request, "parameter_invalid", "a value is longer or larger than any that is kept")
        log.error("the database does not answer", extra={"error": str(error) or type(error).__name__})
        return unavailable(request)

    for kind in (*UNAVAILABLE, *OF_A_VALUE):
        app.add_exception_handler(kind, no_database)

    @app.exception_handler(StoreAway)
    async def store_away(request: Request, error: StoreAway) -> JSONResponse:
        log.warning("the telemetry store does not answer", extra={"error": str(error)})
        response = answer(request, "not_ready", "the telemetry store does not answer now; what it holds is not lost")
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
        return response

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        faults = [Fault(where=".".join(map(str, fault["loc"])), message=fault["msg"]) for fault in error.errors()]
        in_body = any(fault.where.startswith("body") for fault in faults)
        detail = "; ".join(f"{fault.where}: {fault.message}" for fault in faults)
        return answer(request, "body_invalid" if in_body else "parameter_invalid", detail, faults)

    @app.exception_handler(RecursionError)
    async def too_deep(request: Request, error: RecursionError) -> JSONResponse:
        return answer(request, "bad_request", "the body holds things within things too deep")

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        word = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}.get(
            error.status_code, "bad_request"
        )
        detail = f"there is nothing at {request.url.path}" if word == "not_found" else str(error.detail)
        response = answer(request, word, detail)
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(Exception)
    async def internal(request: Request, error: Exception) -> JSONResponse:
        # Starlette raises it again after this answer, so that it is logged with its traceback.
        response = answer(request, "internal", "this is a fault of Linli; its log says more")
        response.headers["X-Request-Id"] = current_request_id()
        return response
