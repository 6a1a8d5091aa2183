"""How tests come into a cloud: as its first administrator does, by the code in its data folder, and then with a token."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

NAME, PASSWORD = "root", "tram ladder violet 88"
EVERYTHING = [{"role": "administrator", "community_id": None}]


def post(url: str, path: str, body: object, **headers: str) -> tuple[Any, str]:
    """POST below /api/v1 as a page of ours would. Returns the document, and the cookie that was set. Raises HTTPError."""
    request = urllib.request.Request(
        f"{url}/api/v1/{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "X-Requested-With": "linli", **headers},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read()), str(answer.headers.get("Set-Cookie", "")).partition(";")[0]


def administrators_token(url: str, data_dir: Path) -> str:
    """Come in as the first administrator, or sign in again as that one; then make a token. Raises OSError."""
    try:
        code = (data_dir / "first-administrator.code").read_text()
        _, cookie = post(url, "invitations/accept", {"code": code, "name": NAME, "password": PASSWORD})
    except FileNotFoundError:
        _, cookie = post(url, "sessions", {"name": NAME, "password": PASSWORD})
    made, _ = post(url, "tokens", {"name": "tests", "grants": EVERYTHING}, Cookie=cookie)
    return str(made["secret"])


def bearer(token: str) -> dict[str, str]:
    """The header."""
    return {"Authorization": f"Bearer {token}"}
