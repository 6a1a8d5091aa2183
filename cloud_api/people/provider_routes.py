"""Routes of signing in by an OpenID Connect provider."""

import logging
import secrets

from fastapi import APIRouter, Request, Response

from cloud_api.parts import Parts, PartsDep
from cloud_api.people import identities, schema
from cloud_api.people.access import PUBLIC, SIGNED_IN, CallerDep, own_origin, refuse_foreign_page
from cloud_api.people.ceremonies import PROVIDER_COOKIE, ceremony_of, give_ceremony, shown
from cloud_api.people.identities import NotInvited
from cloud_api.people.models import UserRow
from cloud_api.people.oidc import Begun, Identity, Provider, ProviderAway, ProviderRefused
from cloud_api.people.session_routes import (
    address_of,
    open_session,
    refuse_open_wire,
    refused,
    require_fresh,
    too_many,
)
from cloud_api.people.sign_in import Factors, SignInRefused
from cloud_api.problems import RETRY_AFTER_S, Problem, responses

log = logging.getLogger(__name__)

router = APIRouter(tags=["people"])

RETURN_PATH = "/sign-in/provider"
"""A page of the console: it gives the answer to ``sessions/provider``."""


def _provider(parts: Parts) -> Provider:
    if parts.door.provider is None:
        raise Problem("no_provider", "LINLI_OIDC_ISSUER is not set")
    return parts.door.provider


@router.get("/sessions/provider", summary="Whether there is a sign-in provider", openapi_extra=PUBLIC)
async def get_provider(parts: PartsDep) -> schema.ProviderState:
    """What the button on the sign-in page is called."""
    return schema.ProviderState(name=parts.door.provider_name if parts.door.provider else None)


@router.post(
    "/sessions/provider/options",
    summary="Begin to sign in by the provider",
    responses=responses("no_provider", "provider_refused", "foreign_page", "https_needed", "not_ready"),
    openapi_extra=PUBLIC,
)
async def begin_provider_sign_in(request: Request, response: Response, parts: PartsDep) -> schema.ProviderBegin:
    """Send the browser to `authorization_url`. It comes back to the console's page `/sign-in/provider`, within five minutes
    and once; also to connect one's identity."""
    refuse_foreign_page(request)
    refuse_open_wire(request)
    provider = _provider(parts)
    try:
        url, begun = await provider.begin((parts.public_url or own_origin(request)) + RETURN_PATH)
    except (ProviderRefused, ProviderAway) as error:
        raise _problem(error) from error
    key = give_ceremony(PROVIDER_COOKIE, request, response)
    parts.door.at_provider.keep(key, begun, address_of(request), parts.clock())
    return schema.ProviderBegin(authorization_url=url)


@router.post(
    "/sessions/provider",
    status_code=201,
    summary="Sign in by the provider",
    responses=responses(
        "no_provider", "provider_refused", "not_invited", "sign_in_refused", "code_needed", "passkey_needed",
        "foreign_page", "https_needed", "too_many_attempts", "body_invalid", "not_ready",
    ),
    openapi_extra=PUBLIC,
)  # fmt: skip
async def sign_in_by_provider(
    body: schema.ProviderSignInBody, request: Request, response: Response, parts: PartsDep
) -> schema.Session:
    """With what the provider has sent the browser back with. It comes in who has connected this identity, or whose verified
    e-mail address an open invitation was made for. A second factor that somebody has here is asked for here."""
    refuse_foreign_page(request)
    refuse_open_wire(request)
    _provider(parts)
    door, address, now_ms = parts.door, address_of(request), parts.clock()
    key = ceremony_of(PROVIDER_COOKIE, request)
    if wait_ms := door.limits.begin(key, address, now_ms):
        raise too_many(wait_ms)
    begun = door.at_provider.take(key, now_ms)
    try:
        if isinstance(begun, Begun):
            identity = await _identity(parts, begun, body.answer)
            user = await identities.user_of(identity, door.key, f"user-{secrets.token_hex(8)}", now_ms)
        else:
            user = await _known(begun)
        passkey = shown(body.passkey, request, parts) if body.passkey is not None else None
        await door.check_second(user, Factors(body.totp, passkey, body.passkey is not None), address, now_ms)
    except (ProviderRefused, ProviderAway) as error:
        raise _problem(error) from error
    except NotInvited as error:
        log.warning("security: sign-in by the provider refused", extra={"error": str(error), "address": address})
        raise Problem("not_invited", "nobody has invited you here; ask for an invitation to your address") from error
    except SignInRefused as error:
        if error.reason in ("code_needed", "passkey_needed"):
            door.at_provider.keep(key, user.id, address, now_ms)
        raise refused(error) from error
    door.limits.succeeded(key, address)
    return await open_session(user, request, response, parts)


@router.put(
    "/account/provider",
    status_code=204,
    summary="Connect one's identity at the provider",
    responses=responses(
        "no_provider", "provider_refused", "sign_in_again", "conflict", "body_invalid", "not_ready",
    ),
    openapi_extra=SIGNED_IN,
)  # fmt: skip
async def connect_provider(body: schema.ProviderAnswer, caller: CallerDep, request: Request, parts: PartsDep) -> None:
    """From now on it signs in by the provider. Begin with `sessions/provider/options`."""
    await require_fresh(caller, parts)
    _provider(parts)
    begun = parts.door.at_provider.take(ceremony_of(PROVIDER_COOKIE, request), parts.clock())
    try:
        identity = await _identity(parts, begun if isinstance(begun, Begun) else None, body)
    except (ProviderRefused, ProviderAway) as error:
        raise _problem(error) from error
    await identities.connect(identity, caller.user_id, parts.clock())


@router.delete(
    "/account/provider",
    status_code=204,
    summary="Disconnect one's identity at the provider",
    responses=responses("sign_in_again", "conflict"),
    openapi_extra=SIGNED_IN,
)
async def disconnect_provider(caller: CallerDep, parts: PartsDep) -> None:
    """Who has a password signs in with that."""
    await require_fresh(caller, parts)
    await identities.disconnect(await UserRow.get(id=caller.user_id))


async def _identity(parts: Parts, begun: Begun | None, answer: schema.ProviderAnswer | None) -> Identity:
    if begun is None or answer is None:
        raise ProviderRefused("nothing was begun in this browser, or it was ended, or too long ago")
    return await _provider(parts).finish(begun, answer.state, answer.code)


async def _known(user_id: str | None) -> UserRow:
    """Whom the provider has named a moment ago."""
    user = await UserRow.get_or_none(id=user_id, disabled_ms__isnull=True) if user_id else None
    if user is None:
        raise ProviderRefused("nothing was begun in this browser, or it was ended, or too long ago")
    return user


def _problem(error: Exception) -> Problem:
    log.warning("security: the sign-in provider's word was not taken", extra={"error": str(error)[:300]})
    if isinstance(error, ProviderAway):
        return Problem(
            "not_ready", "the sign-in provider does not answer; try again", headers={"Retry-After": str(RETRY_AFTER_S)}
        )
    return Problem("provider_refused", "what came from the sign-in provider does not hold; begin again")
