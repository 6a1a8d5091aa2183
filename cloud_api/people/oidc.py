"""Who an OpenID Connect provider says somebody is: the authorization code flow with PKCE, state and nonce.

What a provider signs is checked by ``joserfc``; what is asked of it travels by ``httpx``. A provider says who somebody is,
never what he is here: roles are given here alone.
"""

import asyncio
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import httpx
import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from cloud_api.people.origin import may_carry_cookie

ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
"""That an ID token may be signed with: no shared secrets, and never ``none``."""
SCOPE = "openid email"
LEEWAY_S = 60
"""So far the provider's clock may be off."""
KNOWN_MS = 3_600_000
"""For so long what the provider says of itself is not asked again."""
KEYS_ASKED_EVERY_MS = 60_000
ANSWER_BYTES_MAX = 1 << 20
TIMEOUT_S = 10.0
SUBJECT_MAX = 255


class ProviderRefused(Exception):
    """What came from the provider, or in its name, is not taken; the message says why, for the log."""


class ProviderAway(Exception):
    """The provider does not answer."""


class Client(NamedTuple):
    """What we are to the provider. secret: "" for a client that has none."""

    issuer: str
    id: str
    secret: str


class Begun(NamedTuple):
    """What the answer is checked with. redirect_uri: where the browser brings it."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str


class Identity(NamedTuple):
    """Who it is at the provider. email: one that the provider has verified, folded; "" for none."""

    issuer: str
    subject: str
    email: str


class _About(msgspec.Struct):
    """OpenID Connect Discovery, section 3: of it what is needed here."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class Provider:
    """http: a client of its own, closed by whoever made it. Raises ValueError for an issuer that could be read on the wire."""

    def __init__(self, client: Client, http: httpx.AsyncClient, clock: Callable[[], int]) -> None:
        _check_address(client.issuer)
        self._client = client
        self._http = http
        self._clock = clock
        self._asking = asyncio.Lock()
        self._about: _About | None = None
        self._about_ms = 0
        self._keys: KeySet | None = None
        self._keys_ms = 0

    async def begin(self, redirect_uri: str) -> tuple[str, Begun]:
        """Where the browser goes, and what its answer is checked with. Raises ProviderAway, ProviderRefused."""
        about = await self._known()
        begun = Begun(_random(), _random(), _random(), redirect_uri)
        challenge = urlsafe_b64encode(sha256(begun.verifier.encode()).digest()).decode().rstrip("=")
        asks = {
            "response_type": "code", "client_id": self._client.id, "redirect_uri": redirect_uri, "scope": SCOPE,
            "state": begun.state, "nonce": begun.nonce, "code_challenge": challenge, "code_challenge_method": "S256",
        }  # fmt: skip
        joint = "&" if urlsplit(about.authorization_endpoint).query else "?"
        return f"{about.authorization_endpoint}{joint}{urlencode(asks)}", begun

    async def finish(self, begun: Begun, state: str, code: str) -> Identity:
        """Who it is. Raises ProviderRefused, ProviderAway."""
        if not hmac.compare_digest(state.encode(), begun.state.encode()):
            raise ProviderRefused("the state is another sign-in's")
        about = await self._known()
        asks = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": begun.redirect_uri,
            "code_verifier": begun.verifier,
        }  # fmt: skip
        auth: httpx.BasicAuth | None = None
        if self._client.secret and "client_secret_basic" in about.token_endpoint_auth_methods_supported:
            auth = httpx.BasicAuth(quote(self._client.id, safe=""), quote(self._client.secret, safe=""))
        else:
            asks |= {"client_id": self._client.id} | (
                {"client_secret": self._client.secret} if self._client.secret else {}
            )
        status, answer = await self._ask("POST", about.token_endpoint, data=asks, auth=auth)
        token = answer.get("id_token")
        if status != 200 or not isinstance(token, str):
            raise ProviderRefused(f"the code is worth nothing: {status}, {str(answer.get('error'))[:100]}")
        return _identity(await self._claims(token, begun.nonce), self._client)

    async def _claims(self, token: str, nonce: str) -> dict[str, Any]:
        registry = jwt.JWTClaimsRegistry(
            now=self._clock() // 1000,
            leeway=LEEWAY_S,
            iss={"essential": True, "value": self._client.issuer},
            aud={"essential": True, "value": self._client.id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        for fresh in (False, True):  # a key that is not known may be a new one
            try:
                found = jwt.decode(token, await self._signing_keys(fresh), algorithms=ALGORITHMS)
                break
            except (JoseError, ValueError, TypeError, KeyError) as error:
                if fresh:
                    raise ProviderRefused(f"the ID token: {type(error).__name__}: {error}") from error
        try:
            registry.validate(found.claims)
        except (JoseError, ValueError, TypeError) as error:
            raise ProviderRefused(f"the ID token: {type(error).__name__}: {error}") from error
        return dict(found.claims)

    async def _known(self) -> _About:
        async with self._asking:
            now_ms = self._clock()
            if self._about is not None and now_ms - self._about_ms < KNOWN_MS:
                return self._about
            where = f"{self._client.issuer.rstrip('/')}/.well-known/openid-configuration"
            status, answer = await self._ask("GET", where)
            try:
                about = msgspec.convert(answer, _About)
                for address in (about.authorization_endpoint, about.token_endpoint, about.jwks_uri):
                    _check_address(address)
            except (msgspec.ValidationError, ValueError) as error:
                raise ProviderRefused(f"what {where} says: {status}, {error}") from error
            if about.issuer != self._client.issuer:
                raise ProviderRefused(f"{where} speaks for another issuer, {about.issuer!r}")
            self._about, self._about_ms = about, now_ms
            return about

    async def _signing_keys(self, fresh: bool) -> KeySet:
        about = await self._known()
        async with self._asking:
            now_ms = self._clock()
            old = now_ms - self._keys_ms >= (KEYS_ASKED_EVERY_MS if fresh else KNOWN_MS)
            if self._keys is None or old:
                _, answer = await self._ask("GET", about.jwks_uri)
                try:
                    self._keys, self._keys_ms = KeySet.import_key_set(answer), now_ms  # type: ignore[arg-type]
                except (JoseError, ValueError, TypeError, KeyError) as error:
                    raise ProviderRefused(f"its keys can't be read: {error}") from error
            return self._keys

    async def _ask(self, method: str, url: str, **how: Any) -> tuple[int, dict[str, Any]]:
        try:
            async with asyncio.timeout(TIMEOUT_S), self._http.stream(method, url, **how) as answer:
                body = bytearray()
                async for piece in answer.aiter_bytes():
                    body += piece
                    if len(body) > ANSWER_BYTES_MAX:
                        raise ProviderRefused(f"{url} says too much")
                if answer.status_code >= 500:
                    raise ProviderAway(f"{url}: {answer.status_code}")
        except (httpx.HTTPError, TimeoutError) as error:
            raise ProviderAway(f"{url}: {type(error).__name__} {error}") from error
        try:
            return answer.status_code, msgspec.json.decode(bytes(body), type=dict[str, Any])
        except (msgspec.MsgspecError, RecursionError) as error:
            raise ProviderRefused(f"{url} does not say what it should: {error}") from error


def _identity(claims: dict[str, Any], client: Client) -> Identity:
    subject, audience = claims["sub"], claims["aud"]
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_MAX:
        raise ProviderRefused("the subject is none")
    if ((isinstance(audience, list) and len(audience) > 1) or "azp" in claims) and claims.get("azp") != client.id:
        raise ProviderRefused("the token was made for another client")
    email = claims.get("email")
    verified = claims.get("email_verified") is True and isinstance(email, str)
    return Identity(client.issuer, subject, folded_email(str(email)) if verified else "")


def _random() -> str:
    return secrets.token_urlsafe(32)


def folded_email(address: str) -> str:
    """As addresses are compared."""
    return address.strip().casefold()


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not may_carry_cookie(parts.scheme, parts.hostname or ""):
        raise ValueError(f"{url}: a provider is spoken to by https, or on this machine's loopback")
