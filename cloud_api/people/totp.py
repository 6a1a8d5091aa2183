"""Time-based one-time codes as phones make them: RFC 6238 with HMAC-SHA-1, 6 digits, 30 s. Pure."""

import hmac
from base64 import b32encode
from hashlib import sha1
from urllib.parse import quote

STEP_MS = 30_000
DIGITS = 6
SECRET_BYTES = 20
DRIFT_STEPS = 1
"""A phone's clock may be so many steps off, either way."""


def code_at(secret: bytes, step: int) -> str:
    """The code of a step: RFC 4226, section 5.3."""
    digest = hmac.new(secret, step.to_bytes(8, "big"), sha1).digest()
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def accepted_step(secret: bytes, code: str, now_ms: int, used_step: int) -> int | None:
    """The step whose code this is; None when it is none of now's, or of a step that was used or lies before one."""
    now_step = now_ms // STEP_MS
    found = None
    for step in range(now_step - DRIFT_STEPS, now_step + DRIFT_STEPS + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()) and step > used_step:
            found = step
    return found


def link(secret: bytes, name: str) -> str:
    """What an authenticator app reads from a QR code."""
    text = b32encode(secret).decode().rstrip("=")
    return f"otpauth://totp/Linli:{quote(name)}?secret={text}&issuer=Linli"
