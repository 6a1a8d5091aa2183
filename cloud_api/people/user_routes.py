"""Routes of users, invitations and tokens."""

import asyncio
import secrets
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from cloud_api.pages import Cursor, Limit, cut, id_after, time_before
from cloud_api.parts import PartsDep
from cloud_api.people import accounts, invitations, schema, tokens
from cloud_api.people.access import PUBLIC, CallerDep, needs, refuse_foreign_page
from cloud_api.people.accounts import NotYours, grants_from
from cloud_api.people.ceremonies import SECRET_BYTES
from cloud_api.people.invitations import InvitationRefused, invitation_state
from cloud_api.people.models import InvitationRow, TokenRow, UserRow
from cloud_api.people.oidc import folded_email
from cloud_api.people.passkeys import passkey_counts
from cloud_api.people.passwords import Busy
from cloud_api.people.roles import Grant, Permission
from cloud_api.people.session_routes import address_of, busy, chosen, open_session, refuse_open_wire, too_many
from cloud_api.problems import Problem, responses
from contracts.claim_code import BITS

router = APIRouter(tags=["people"])

Id = Annotated[str, Path(max_length=40)]
INVITATIONS = "invitations"


def _user(row: UserRow, grants: tuple[Grant, ...], passkeys: int) -> schema.User:
    return schema.User(
        id=row.id,
        name=row.name,
        grants=[schema.GrantBody.of(grant) for grant in grants],
        authenticator=row.totp_on,
        passkeys=passkeys,
        created_ms=row.created_ms,
        disabled_ms=row.disabled_ms,
    )


@router.get("/users", summary="Users", openapi_extra=needs(Permission.PEOPLE))
async def list_users(caller: CallerDep, cursor: Cursor = "", limit: Limit = 100) -> schema.UserPage:
    """Those who are something where you look after people, in the order of their ids."""
    found = await accounts.users(caller, id_after(cursor), limit + 1)
    rows, following = cut(found, limit, lambda row: (row.id,))
    ids = [row.id for row in rows]
    grants, passkeys = await accounts.grants_of(ids), await passkey_counts(ids)
    items = [_user(row, grants[row.id], passkeys[row.id]) for row in rows]
    return schema.UserPage(items=items, next_cursor=following)


async def _one(row: UserRow) -> schema.User:
    return _user(row, (await accounts.grants_of([row.id]))[row.id], (await passkey_counts([row.id]))[row.id])


@router.get(
    "/users/{user_id}", summary="One user", responses=responses("not_found"), openapi_extra=needs(Permission.PEOPLE)
)
async def get_user(user_id: Id, caller: CallerDep) -> schema.User:
    """A user by the id."""
    return await _one(await accounts.user(user_id, caller))


@router.patch(
    "/users/{user_id}",
    summary="Change what a user is, or shut him out",
    responses=responses("not_found", "conflict", "body_invalid"),
    openapi_extra=needs(Permission.PEOPLE),
)
async def change_user(user_id: Id, body: schema.UserChange, caller: CallerDep, parts: PartsDep) -> schema.User:
    """All his sessions and open streams end; of his tokens nothing is left that he is not. Invitations that he made and
    nobody has used end when he is disabled."""
    grants = None if body.grants is None else [each.plain() for each in body.grants]
    try:
        row = await accounts.change_user(user_id, caller, grants, body.disabled, parts.clock())
    except NotYours as error:
        raise Problem("not_allowed", str(error)) from error
    return await _one(row)


def _invitation(row: InvitationRow, now_ms: int) -> dict[str, object]:
    return {
        "id": row.id,
        "state": invitation_state(row, now_ms).value,
        "grants": [schema.GrantBody.of(grant) for grant in grants_from(row.grants)],
        "issuer_id": row.issuer_id or None,
        "created_ms": row.created_ms,
        "expires_ms": row.expires_ms,
        "user_id": row.user_id or None,
        "for_provider": bool(row.meant_for),
    }


@router.post(
    "/invitations",
    status_code=201,
    summary="Invite somebody",
    responses=responses("body_invalid"),
    openapi_extra=needs(Permission.PEOPLE),
)
async def create_invitation(body: schema.InvitationBody, caller: CallerDep, parts: PartsDep) -> schema.NewInvitation:
    """The code is shown once; whoever has it chooses a name and a password with it."""
    now_ms = parts.clock()
    try:
        row, code = await invitations.invite(
            f"invitation-{secrets.token_hex(8)}", secrets.token_bytes(BITS // 8), caller,
            [each.plain() for each in body.grants], now_ms, now_ms + body.valid_s * 1000,
            parts.door.key.alias(folded_email(body.email)) if body.email else "",
        )  # fmt: skip
    except NotYours as error:
        raise Problem("not_allowed", str(error)) from error
    return schema.NewInvitation.model_validate({**_invitation(row, now_ms), "code": code})


@router.get("/invitations", summary="Invitations", openapi_extra=needs(Permission.PEOPLE))
async def list_invitations(
    caller: CallerDep, parts: PartsDep, cursor: Cursor = "", limit: Limit = 100
) -> schema.InvitationPage:
    """Yours, newest first; of all for whoever looks after people everywhere. Their codes are kept nowhere."""
    found = await invitations.invitations(caller, time_before(cursor), limit + 1)
    rows, following = cut(found, limit, lambda row: (row.created_ms, row.id))
    now_ms = parts.clock()
    items = [schema.Invitation.model_validate(_invitation(row, now_ms)) for row in rows]
    return schema.InvitationPage(items=items, next_cursor=following)


@router.post(
    "/invitations/{invitation_id}/withdraw",
    summary="Take an invitation back",
    responses=responses("not_found"),
    openapi_extra=needs(Permission.PEOPLE),
)
async def withdraw_invitation(invitation_id: Id, caller: CallerDep, parts: PartsDep) -> schema.Invitation:
    """One that was used stays used: disable the user instead."""
    now_ms = parts.clock()
    row = await invitations.withdraw(invitation_id, caller, now_ms)
    return schema.Invitation.model_validate(_invitation(row, now_ms))


@router.post(
    "/invitations/accept",
    status_code=201,
    summary="Come in by an invitation",
    responses=responses(
        "invitation_refused", "password_refused", "conflict", "foreign_page", "https_needed", "too_many_attempts",
        "body_invalid", "not_ready",
    ),
    openapi_extra=PUBLIC,
)  # fmt: skip
async def accept_invitation(
    body: schema.AcceptBody, request: Request, response: Response, parts: PartsDep
) -> schema.Session:
    """Choose a name and a password; the answer signs in. The first administrator comes in by the code that the cloud has
    written into its data folder."""
    refuse_foreign_page(request)
    refuse_open_wire(request)
    door, address, now_ms = parts.door, address_of(request), parts.clock()
    if wait_ms := door.limits.begin(INVITATIONS, address, now_ms):
        raise too_many(wait_ms)
    try:
        await invitations.check(body.code, now_ms)
        door.limits.succeeded(INVITATIONS, address)
        password_hash = await chosen(parts, body.password, body.name)
        user_id = f"user-{secrets.token_hex(8)}"
        user, row = await invitations.accept(body.code, user_id, body.name, password_hash, now_ms)
    except InvitationRefused as error:
        raise Problem("invitation_refused", str(error)) from error
    except Busy as error:
        raise busy() from error
    if row.id == invitations.FIRST_ID and door.first_code is not None:
        await asyncio.to_thread(door.first_code.unlink, missing_ok=True)
    return await open_session(user, request, response, parts)


def _token(row: TokenRow) -> dict[str, object]:
    return {
        "id": row.id,
        "name": row.name,
        "user_id": row.user_id,
        "grants": [schema.GrantBody.of(grant) for grant in grants_from(row.grants)],
        "created_ms": row.created_ms,
        "expires_ms": row.expires_ms,
        "revoked_ms": row.revoked_ms,
    }


@router.post(
    "/tokens",
    status_code=201,
    summary="Make a token for a machine",
    responses=responses("conflict", "body_invalid"),
    openapi_extra=needs(Permission.TOKENS),
)
async def create_token(body: schema.TokenBody, caller: CallerDep, parts: PartsDep) -> schema.NewToken:
    """It speaks for you, and for no more than you are: what you lose it loses. The secret is shown once."""
    now_ms, secret = parts.clock(), tokens.PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    try:
        row = await tokens.create_token(
            f"token-{secrets.token_hex(8)}", secret, body.name, caller, [each.plain() for each in body.grants],
            now_ms, now_ms + body.valid_s * 1000,
        )  # fmt: skip
    except NotYours as error:
        raise Problem("not_allowed", str(error)) from error
    return schema.NewToken.model_validate({**_token(row), "secret": secret})


@router.get("/tokens", summary="Tokens", openapi_extra=needs(Permission.TOKENS))
async def list_tokens(caller: CallerDep, cursor: Cursor = "", limit: Limit = 100) -> schema.TokenPage:
    """Yours, newest first; of all for whoever administers everything."""
    found = await tokens.tokens(caller, time_before(cursor), limit + 1)
    rows, following = cut(found, limit, lambda row: (row.created_ms, row.id))
    return schema.TokenPage(items=[schema.Token.model_validate(_token(row)) for row in rows], next_cursor=following)


@router.post(
    "/tokens/{token_id}/revoke",
    summary="Revoke a token",
    responses=responses("not_found"),
    openapi_extra=needs(Permission.TOKENS),
)
async def revoke_token(token_id: Id, caller: CallerDep, parts: PartsDep) -> schema.Token:
    """At once, for good. May be repeated."""
    return schema.Token.model_validate(_token(await tokens.revoke_token(token_id, caller, parts.clock())))
