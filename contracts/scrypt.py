"""How a charge point's password is kept: scrypt, as text. The registry makes the hash, the gateway checks against it."""

import base64
import binascii
import hashlib
import hmac

N, R, P = 16_384, 8, 1
"""16 MB and some 50 ms: what a gateway can afford for each charge point that connects."""
N_MAX = 65_536
SALT_BYTES = 16
HASH_BYTES = 32


def hashed(password: bytes, salt: bytes) -> str:
    """``scrypt$n$r$p$salt$hash``, salt and hash in base64. salt: 16 random bytes."""
    digest = hashlib.scrypt(password, salt=salt, n=N, r=R, p=P, maxmem=256 * N * R, dklen=HASH_BYTES)
    return "$".join(["scrypt", str(N), str(R), str(P), _text(salt), _text(digest)])


def matches(password: bytes, kept: str) -> bool:
    """Whether this is the password; False also for a hash that is none of ours, or that would take too long."""
    kind, *parts = kept.split("$")
    if kind != "scrypt" or len(parts) != 5:
        return False
    try:
        n, r, p = (int(part) for part in parts[:3])
        salt, digest = (base64.b64decode(part, validate=True) for part in parts[3:])
        if not 1 < n <= N_MAX or r != R or not 1 <= p <= 4:
            return False
        found = hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=len(digest))
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(found, digest)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
