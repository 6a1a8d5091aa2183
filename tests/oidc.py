"""An OpenID Connect provider: a small standard one, and one that lies when it is told to. On ``joserfc`` and FastAPI.

`python -m tests.oidc PORT` serves it on loopback.
"""

import secrets
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey

CLIENT, SECRET = "linli", "provider secret"


class OidcProvider:
    """An ASGI application. claims: of whoever signs in there. changes: what its next ID tokens say instead.

    header: of its ID tokens, besides the key's id; key: what they are signed with. away: it fails when a code is brought.
    """

    def __init__(self, issuer: str, clock: Callable[[], int]) -> None:
        self.issuer = issuer
        self.key = ECKey.generate_key("P-256", {"kid": "first"})
        self.published = [self.key]
        self.claims: dict[str, Any] = {"sub": "chen-1", "email": "Chen.Wei@example.org", "email_verified": True}
        self.changes: dict[str, Any] = {}
        self.header: dict[str, Any] = {"alg": "ES256"}
        self.sends: Callable[[str], str] = lambda token: token
        self.away = False
        self._clock = clock
        self._codes: dict[str, dict[str, str]] = {}
        self.app = FastAPI()
        self._routes()

    def _routes(self) -> None:
        @self.app.get("/.well-known/openid-configuration")
        async def about() -> dict[str, Any]:
            ends = {"authorization": "authorize", "token": "token"}
            return {
                "issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys",
                **{f"{name}_endpoint": f"{self.issuer}/{path}" for name, path in ends.items()},
            }  # fmt: skip

        @self.app.get("/keys")
        async def keys() -> Any:
            return KeySet(list(self.published)).as_dict(private=False)

        @self.app.get("/authorize")
        async def authorize(request: Request) -> RedirectResponse:
            asked = dict(request.query_params)
            assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
            assert asked["code_challenge_method"] == "S256" and "openid" in asked["scope"].split()
            code = secrets.token_urlsafe(16)
            self._codes[code] = asked
            back = urlencode({"code": code, "state": asked["state"]})
            return RedirectResponse(f"{asked['redirect_uri']}?{back}", 302)

        @self.app.post("/token")
        async def token(request: Request) -> JSONResponse:
            if self.away:
                return JSONResponse({}, 502)
            sent = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
            asked = self._codes.pop(sent.get("code", ""), None)
            challenge = urlsafe_b64encode(sha256(sent.get("code_verifier", "").encode()).digest()).decode().rstrip("=")
            us = httpx.BasicAuth(CLIENT, "provider%20secret")._auth_header
            if asked is None or asked["code_challenge"] != challenge or request.headers["authorization"] != us:
                return JSONResponse({"error": "invalid_grant"}, 400)
            if sent["redirect_uri"] != asked["redirect_uri"]:
                return JSONResponse({"error": "invalid_grant"}, 400)
            return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": self._token(asked["nonce"])})

    def _token(self, nonce: str) -> str:
        now_s = self._clock() // 1000
        said = {"iss": self.issuer, "aud": CLIENT, "iat": now_s, "exp": now_s + 300, "nonce": nonce, **self.claims}
        said = {name: value for name, value in (said | self.changes).items() if value is not None}
        header = {"kid": self.key.kid, **self.header}
        key: Any = self.key if self.header["alg"] == "ES256" else OctKey.import_key(SECRET.encode() * 4)
        return self.sends(jwt.encode(header, said, key, algorithms=["ES256", "HS256"]))

    async def signs_in(self, url: str) -> tuple[dict[str, str], str]:
        """What a browser is sent back with, and where to, once somebody has signed in there."""
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=self.issuer) as browser:
            answer = await browser.get(url)
        back = urlsplit(answer.headers["location"])
        return {name: values[0] for name, values in parse_qs(back.query).items()}, back.path


if __name__ == "__main__":
    here = OidcProvider(f"http://127.0.0.1:{sys.argv[1]}", lambda: time.time_ns() // 1_000_000)
    uvicorn.run(here.app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
