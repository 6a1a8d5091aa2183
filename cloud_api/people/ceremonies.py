"""What an HTTP request says of a ceremony that was begun before: by a cookie that was made for it, so that no other browser
can end what this one has begun."""

import secrets

from fastapi import Request, Response

from cloud_api.parts import Parts
from cloud_api.people import schema
from cloud_api.people.access import own_origin
from cloud_api.people.accounts import digest_of
from cloud_api.people.challenges import HOLDS_MS
from cloud_api.people.passkeys import Shown
from cloud_api.people.webauthn import Site, site_at
from cloud_api.problems import Problem

SECRET_BYTES = 32
PASSKEY_COOKIE, PROVIDER_COOKIE = "linli_passkey", "linli_provider"


def site_of(request: Request, parts: Parts) -> Site:
    """Whose passkeys are good here. Raises Problem no_passkeys."""
    site = site_at(parts.public_url, own_origin(request))
    if site is None:
        raise Problem("no_passkeys", "passkeys need LINLI_PUBLIC_URL with a name in it, or a page at http://localhost")
    return site


def give_ceremony(name: str, request: Request, response: Response) -> str:
    """A new cookie of this name. Returns the key under which what waits for it is kept."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    secure = request.url.scheme == "https"
    response.set_cookie(
        _full(name, request),
        secret,
        max_age=HOLDS_MS // 1000,
        path="/",
        httponly=True,
        samesite="strict",
        secure=secure,
    )
    return digest_of(secret)


def ceremony_of(name: str, request: Request) -> str:
    """The key of what this browser has begun; that of nothing without the cookie."""
    return digest_of(request.cookies.get(_full(name, request), ""))


def shown(credential: schema.AssertionBody, request: Request, parts: Parts) -> Shown | None:
    """The browser's answer with the challenge that it is to; None: it was asked nothing, or not any longer."""
    begun = parts.door.challenges.take(ceremony_of(PASSKEY_COOKIE, request), parts.clock())
    return None if begun is None else Shown(*begun, credential.model_dump(exclude_none=True))


def _full(name: str, request: Request) -> str:
    return f"__Host-{name}" if request.url.scheme == "https" else name
