"""Routes of signing in and out, and of what is one's own: password, authenticator."""

import io
import secrets
from typing import Annotated

import segno
from fastapi import APIRouter, Path, Request, Response

from cloud_api.audit.recording import note
from cloud_api.parts import Parts, PartsDep
from cloud_api.people import schema, totp
from cloud_api.people.access import PUBLIC, SIGNED_IN, CallerDep, cookie_name, refuse_foreign_page, secret_of
from cloud_api.people.accounts import set_password
from cloud_api.people.ceremonies import SECRET_BYTES, shown
from cloud_api.people.identities import is_connected
from cloud_api.people.models import UserRow
from cloud_api.people.origin import may_carry_cookie
from cloud_api.people.passkeys import passkey_counts
from cloud_api.people.passwords import Busy
from cloud_api.people.roles import Caller, Permission
from cloud_api.people.sessions import ABSOLUTE_MS, begin_session, end_session, is_fresh, sessions_of
from cloud_api.people.sign_in import Factors, SignInRefused
from cloud_api.problems import RETRY_AFTER_S, Problem, responses
from device_registry import NOWHERE, Conflict, NotFound

router = APIRouter(tags=["people"])

SESSION_ID_LENGTH = 16
"""Hexadecimal digits of a session's digest: enough to name one of a few, and nobody comes in with them."""


async def open_session(user: UserRow, request: Request, response: Response, parts: Parts) -> schema.Session:
    """Begin a session for this browser; the one that it had ends. Raises Problem https_needed."""
    refuse_open_wire(request)
    note(request, user=user.id)  # before this nobody was known to ask
    secret, before = secrets.token_urlsafe(SECRET_BYTES), secret_of(request)
    old = before.text if before is not None and before.kind == "session" else ""
    row = await begin_session(user.id, secret, parts.clock(), old)
    response.set_cookie(
        cookie_name(request), secret, max_age=ABSOLUTE_MS // 1000, path="/", httponly=True, samesite="strict",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    caller = Caller(user.id, user.name, await parts.door.grants_now(user), row.digest)
    return await _in_json(caller, user, parts)


def refuse_open_wire(request: Request) -> None:
    """Passwords do not leave this machine without encryption. Raises Problem https_needed."""
    if not may_carry_cookie(request.url.scheme, request.url.hostname or ""):
        raise Problem("https_needed", "signing in needs https; plain http only at a name of this machine's loopback")


async def _in_json(caller: Caller, user: UserRow, parts: Parts) -> schema.Session:
    places = {grant.community_id for grant in caller.grants}
    permitted = {permission: caller.where(permission) for permission in Permission}
    return schema.Session.model_validate(
        {
            "user_id": caller.user_id,
            "name": caller.name,
            "grants": [schema.GrantBody.of(grant) for grant in caller.grants],
            "roles": list(dict.fromkeys(grant.role.value for grant in caller.grants)),
            "communities": None if "" in places else sorted(places),
            "permissions": {
                permission.value: None if communities is None else sorted(communities)
                for permission, communities in permitted.items()
                if communities != NOWHERE
            },
            "machine": caller.machine,
            "authenticator": user.totp_on,
            "passkeys": (await passkey_counts([user.id]))[user.id],
            "provider": await is_connected(user.id),
            "authenticator_missing": await parts.door.lacks_authenticator(user),
        }
    )


def address_of(request: Request) -> str:
    """Where a request comes from, as far as it is known."""
    return request.client.host if request.client else ""


def busy() -> Problem:
    """More passwords are being checked than may."""
    return Problem("not_ready", "too many sign-ins at once; try again", headers={"Retry-After": str(RETRY_AFTER_S)})


@router.post(
    "/sessions",
    status_code=201,
    summary="Sign in",
    responses=responses(
        "sign_in_refused",
        "code_needed",
        "passkey_needed",
        "foreign_page",
        "https_needed",
        "too_many_attempts",
        "body_invalid",
        "not_ready",
    ),
    openapi_extra=PUBLIC,
)
async def sign_in(body: schema.SignInBody, request: Request, response: Response, parts: PartsDep) -> schema.Session:
    """The answer sets the cookie; a session that the browser had ends. It lasts 12 h, or 30 min without a request.

    Five failures of a name from one address within a quarter of an hour, and it waits; whether there is such a user is
    not said.
    """
    refuse_foreign_page(request)
    refuse_open_wire(request)
    passkey = shown(body.passkey, request, parts) if body.passkey is not None else None
    factors = Factors(body.totp, passkey, body.passkey is not None)
    try:
        user = await parts.door.come_in(body.name, body.password, factors, address_of(request), parts.clock())
    except SignInRefused as error:
        raise refused(error) from error
    except Busy as error:
        raise busy() from error
    return await open_session(user, request, response, parts)


def refused(error: SignInRefused) -> Problem:
    """Why somebody was not let in, without saying what of it was wrong."""
    if error.reason == "too_many_attempts":
        return too_many(error.wait_ms)
    detail = {
        "sign_in_refused": "name, password, code or passkey is wrong",
        "code_needed": "the code of the authenticator is needed",
        "passkey_needed": "one of the user's passkeys is needed",
    }[error.reason]
    return Problem(error.reason, detail)


def too_many(wait_ms: int) -> Problem:
    """It may be tried again later."""
    wait_s = -(-wait_ms // 1000)
    return Problem("too_many_attempts", f"try again in {-(-wait_s // 60)} min", headers={"Retry-After": str(wait_s)})


@router.get("/sessions/current", summary="Who is signed in", openapi_extra=SIGNED_IN)
async def get_session(caller: CallerDep, parts: PartsDep) -> schema.Session:
    """Who asks, and what he may do where."""
    return await _in_json(caller, await UserRow.get(id=caller.user_id), parts)


@router.delete("/sessions/current", status_code=204, summary="Sign out", openapi_extra=SIGNED_IN)
async def sign_out(caller: CallerDep, request: Request, response: Response) -> None:
    """The session has ended; its cookie is worth nothing. A machine's token is revoked at `/tokens` instead."""
    refuse_machine(caller)
    await end_session(caller.session)
    response.delete_cookie(
        cookie_name(request), path="/", httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )


@router.get("/account/sessions", summary="Where one is signed in", openapi_extra=SIGNED_IN)
async def list_sessions(caller: CallerDep, parts: PartsDep) -> schema.OpenSessions:
    """One's own sessions that have not ended, newest first."""
    refuse_machine(caller)
    rows = await sessions_of(caller.user_id, parts.clock())
    items = [
        schema.OpenSession(
            id=row.digest[:SESSION_ID_LENGTH],
            begun_ms=row.begun_ms,
            seen_ms=row.seen_ms,
            current=row.digest == caller.session,
        )
        for row in rows
    ]
    return schema.OpenSessions(items=items)


@router.post(
    "/account/sessions/{session_id}/end",
    status_code=204,
    summary="Sign out elsewhere",
    responses=responses("not_found"),
    openapi_extra=SIGNED_IN,
)
async def end_own_session(session_id: Annotated[str, Path(max_length=64)], caller: CallerDep, parts: PartsDep) -> None:
    """A session of one's own has ended; also the one that asks."""
    refuse_machine(caller)
    for row in await sessions_of(caller.user_id, parts.clock()):
        if row.digest[:SESSION_ID_LENGTH] == session_id:
            await end_session(row.digest)
            return
    raise NotFound("session", session_id)


@router.put(
    "/account/password",
    status_code=204,
    summary="Change one's password",
    responses=responses("sign_in_refused", "password_refused", "too_many_attempts", "not_ready", "body_invalid"),
    openapi_extra=SIGNED_IN,
)
async def put_password(body: schema.PasswordBody, caller: CallerDep, request: Request, parts: PartsDep) -> None:
    """All other sessions end. At least 12 characters, of any kind; none that is guessed first."""
    refuse_machine(caller)
    user, door, address = await UserRow.get(id=caller.user_id), parts.door, address_of(request)
    if wait_ms := door.limits.begin(user.key, address, parts.clock()):
        raise too_many(wait_ms)
    try:
        if not await door.passwords.verify(user.password_hash, body.old):
            raise Problem("sign_in_refused", "the old password is wrong")
        door.limits.succeeded(user.key, address)
        await set_password(user.id, await chosen(parts, body.new, user.name), caller.session)
    except Busy as error:
        raise busy() from error


async def chosen(parts: Parts, password: str, name: str) -> str:
    """The hash of a password that somebody wants. Raises Problem password_refused, Busy."""
    if fault := await parts.door.passwords.fault(password, name):
        raise Problem("password_refused", fault)
    return await parts.door.passwords.hashed(password)


@router.post(
    "/account/authenticator",
    status_code=201,
    summary="Begin to set up an authenticator",
    responses=responses("conflict"),
    openapi_extra=SIGNED_IN,
)
async def new_authenticator(caller: CallerDep, parts: PartsDep) -> schema.AuthenticatorSecret:
    """Its secret is given now and never again; it counts once a code of it has been given."""
    refuse_machine(caller)
    user = await UserRow.get(id=caller.user_id)
    if user.totp_on:
        raise Conflict("there is one already; remove it first, with a code of it")
    secret = secrets.token_bytes(totp.SECRET_BYTES)
    sealed = parts.door.key.sealed(secret, user.id)
    await UserRow.filter(id=user.id, totp_on=False).update(totp_secret=sealed, totp_step=0)
    link = totp.link(secret, user.name)
    picture = io.BytesIO()  # a picture of its own, with its namespace: a page can't draw another as an image
    segno.make(link, error="m").save(picture, kind="svg", scale=4, xmldecl=False, nl=False)
    return schema.AuthenticatorSecret(link=link, qr_svg=picture.getvalue().decode())


@router.put(
    "/account/authenticator",
    status_code=204,
    summary="Set up the authenticator",
    responses=responses("sign_in_refused", "conflict", "too_many_attempts", "body_invalid"),
    openapi_extra=SIGNED_IN,
)
async def put_authenticator(
    body: schema.AuthenticatorBody, caller: CallerDep, request: Request, parts: PartsDep
) -> None:
    """With a first code of it. From now on a sign-in needs one."""
    await _check_code(caller, request, parts, body.code, wants_on=False)
    await UserRow.filter(id=caller.user_id).update(totp_on=True)


@router.post(
    "/account/authenticator/remove",
    status_code=204,
    summary="Remove the authenticator",
    responses=responses("sign_in_refused", "conflict", "too_many_attempts", "body_invalid"),
    openapi_extra=SIGNED_IN,
)
async def remove_authenticator(
    body: schema.AuthenticatorBody, caller: CallerDep, request: Request, parts: PartsDep
) -> None:
    """With a last code of it."""
    await _check_code(caller, request, parts, body.code, wants_on=True)
    await UserRow.filter(id=caller.user_id).update(totp_on=False, totp_secret="")


async def _check_code(caller: Caller, request: Request, parts: Parts, code: str, wants_on: bool) -> None:
    refuse_machine(caller)
    user, address, now_ms = await UserRow.get(id=caller.user_id), address_of(request), parts.clock()
    if not user.totp_secret or user.totp_on != wants_on:
        raise Conflict("there is none" if wants_on else "begin with POST /api/v1/account/authenticator")
    if wait_ms := parts.door.limits.begin(user.key, address, now_ms):
        raise too_many(wait_ms)
    if not await parts.door.use_code(user, code, now_ms):
        raise Problem("sign_in_refused", "the code is wrong, or was used")
    parts.door.limits.succeeded(user.key, address)


def refuse_machine(caller: Caller) -> None:
    """Raises Problem not_allowed."""
    if caller.machine:
        raise Problem("not_allowed", "this is for people who have signed in, not for tokens")


async def require_fresh(caller: Caller, parts: Parts) -> None:
    """For what would let somebody in again later: not at a desk that was left. Raises Problem sign_in_again, not_allowed."""
    refuse_machine(caller)
    if not await is_fresh(caller.session, parts.clock()):
        raise Problem("sign_in_again", "sign in again: this needs a session that has begun within the last ten minutes")
