"""Routes of passkeys: making, naming and removing one's own, and signing in with one."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from cloud_api.audit.recording import note
from cloud_api.parts import PartsDep
from cloud_api.people import passkeys, schema, webauthn
from cloud_api.people.access import PUBLIC, SIGNED_IN, CallerDep, refuse_foreign_page
from cloud_api.people.ceremonies import PASSKEY_COOKIE, give_ceremony, shown, site_of
from cloud_api.people.models import PasskeyRow
from cloud_api.people.session_routes import (
    address_of,
    open_session,
    refuse_open_wire,
    refused,
    require_fresh,
)
from cloud_api.people.sign_in import SignInRefused
from cloud_api.people.webauthn import PasskeyRefused
from cloud_api.problems import Problem, responses

router = APIRouter(tags=["people"])

PasskeyId = Annotated[str, Path(max_length=40)]


def _passkey(row: PasskeyRow) -> schema.Passkey:
    return schema.Passkey(
        id=row.id, name=row.name, created_ms=row.created_ms, used_ms=row.used_ms, backed_up=row.backed_up
    )


@router.post(
    "/account/passkeys/options",
    summary="Begin to make a passkey",
    responses=responses("no_passkeys", "sign_in_again"),
    openapi_extra=SIGNED_IN,
)
async def begin_passkey(caller: CallerDep, request: Request, parts: PartsDep) -> schema.PasskeyOptions:
    """What the browser needs; its answer is taken once, within five minutes, in this session. The session has to have begun
    within the last ten minutes: nobody makes himself a key at a desk that was left."""
    await require_fresh(caller, parts)
    site = site_of(request, parts)
    known = await passkeys.known_credentials(caller.user_id, site)
    options, state = webauthn.ask_for_new(site, caller.user_id, caller.name, known)
    parts.door.challenges.keep(caller.session, (site, state), address_of(request), parts.clock())
    return schema.PasskeyOptions(public_key=options["publicKey"])


@router.post(
    "/account/passkeys",
    status_code=201,
    summary="Make a passkey",
    responses=responses("passkey_refused", "conflict", "sign_in_again", "body_invalid"),
    openapi_extra=SIGNED_IN,
)
async def create_passkey(
    body: schema.NewPasskeyBody, caller: CallerDep, request: Request, parts: PartsDep
) -> schema.Passkey:
    """With the browser's answer. From now on a sign-in by password needs a passkey, or the authenticator's code."""
    await require_fresh(caller, parts)
    now_ms = parts.clock()
    begun = parts.door.challenges.take(caller.session, now_ms)
    if begun is None:
        raise Problem("passkey_refused", "begin with POST /api/v1/account/passkeys/options; its answer is taken once")
    site, state = begun
    try:
        new = webauthn.new_passkey(site, state, body.credential.model_dump())
    except PasskeyRefused as error:
        raise Problem("passkey_refused", "the browser's answer does not fit what it was asked") from error
    passkey_id = f"passkey-{secrets.token_hex(8)}"
    note(request, passkey=passkey_id)
    return _passkey(await passkeys.keep_passkey(passkey_id, caller.user_id, body.name, site, new, now_ms))


@router.get("/account/passkeys", summary="One's passkeys", openapi_extra=SIGNED_IN)
async def list_passkeys(caller: CallerDep) -> schema.PasskeyPage:
    """Yours, oldest first, all of them."""
    return schema.PasskeyPage(
        items=[_passkey(row) for row in await passkeys.passkeys(caller.user_id)], next_cursor=None
    )


@router.patch(
    "/account/passkeys/{passkey_id}",
    summary="Name a passkey",
    responses=responses("not_found", "body_invalid"),
    openapi_extra=SIGNED_IN,
)
async def name_passkey(passkey_id: PasskeyId, body: schema.PasskeyChange, caller: CallerDep) -> schema.Passkey:
    """One of yours."""
    return _passkey(await passkeys.rename_passkey(passkey_id, caller.user_id, body.name))


@router.delete(
    "/account/passkeys/{passkey_id}",
    status_code=204,
    summary="Remove a passkey",
    responses=responses("not_found", "sign_in_again"),
    openapi_extra=SIGNED_IN,
)
async def remove_passkey(passkey_id: PasskeyId, caller: CallerDep, parts: PartsDep) -> None:
    """It signs nobody in any more. In a session that has begun within the last ten minutes."""
    await require_fresh(caller, parts)
    await passkeys.remove_passkey(passkey_id, caller.user_id)


@router.post(
    "/sessions/passkey/options",
    summary="Begin to sign in with a passkey",
    responses=responses("no_passkeys", "foreign_page", "https_needed"),
    openapi_extra=PUBLIC,
)
async def begin_passkey_sign_in(request: Request, response: Response, parts: PartsDep) -> schema.PasskeyOptions:
    """What the browser needs; its answer is taken once, within five minutes, from this browser: by `sessions/passkey`, or
    with name and password by `sessions`."""
    refuse_foreign_page(request)
    refuse_open_wire(request)
    site = site_of(request, parts)
    options, state = webauthn.ask_for_one(site)
    key = give_ceremony(PASSKEY_COOKIE, request, response)
    parts.door.challenges.keep(key, (site, state), address_of(request), parts.clock())
    return schema.PasskeyOptions(public_key=options["publicKey"])


@router.post(
    "/sessions/passkey",
    status_code=201,
    summary="Sign in with a passkey",
    responses=responses("sign_in_refused", "foreign_page", "https_needed", "too_many_attempts", "body_invalid"),
    openapi_extra=PUBLIC,
)
async def sign_in_with_passkey(
    body: schema.PasskeySignInBody, request: Request, response: Response, parts: PartsDep
) -> schema.Session:
    """Without a password: a passkey asks for a finger, a face or a PIN, so that it is two factors. Sets the cookie."""
    refuse_foreign_page(request)
    refuse_open_wire(request)
    passkey = shown(body.credential, request, parts)
    try:
        user = await parts.door.come_in_by_passkey(passkey, address_of(request), parts.clock())
    except SignInRefused as error:
        raise refused(error) from error
    return await open_session(user, request, response, parts)
