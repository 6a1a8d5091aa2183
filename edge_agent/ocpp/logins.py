"""Who may come in: passwords of charge points, and addresses that have tried too often. Pure but for scrypt's time."""

import base64
import binascii
import hashlib
import hmac
from typing import NamedTuple

from contracts.scrypt import matches

TRIES_MAX = 5
"""Wrong passwords from one address before it has to wait."""
WAIT_MS, WAIT_MS_MAX = 30_000, 3_600_000
ADDRESSES_MAX = 1_000


class Login(NamedTuple):
    """HTTP basic authentication, as the charge point gave it."""

    user: str
    password: bytes


def login_of(header: str | None) -> Login | None:
    """What stands in an Authorization header; None when there is none that can be used."""
    kind, _, encoded = (header or "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return Login(user.decode(), password) if colon else None
    except (binascii.Error, UnicodeDecodeError):
        return None


class Passwords:
    """Checks passwords; one that was right is recognised again without the work, so that all may come back at once."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._right: dict[str, tuple[str, bytes]] = {}

    def is_known(self, charge_point: str, password: bytes, password_hash: str) -> bool:
        """Whether it was right before, against the same hash. Quick."""
        return self._right.get(charge_point) == (password_hash, self._mark(password))

    def is_right(self, charge_point: str, password: bytes, password_hash: str) -> bool:
        """Whether it is right. Takes some 50 ms and 16 MB: to be called in a thread."""
        if not matches(password, password_hash):
            return False
        self._right[charge_point] = (password_hash, self._mark(password))
        return True

    def _mark(self, password: bytes) -> bytes:
        return hmac.new(self._key, password, hashlib.sha256).digest()


class _Failures(NamedTuple):
    tries: int
    until_ms: int


class Lockout:
    """Addresses that gave wrong passwords wait, longer and longer. The clock is the steady one."""

    def __init__(self) -> None:
        self._failures: dict[str, _Failures] = {}

    def is_shut(self, address: str, now_ms: int) -> bool:
        """Whether nothing from there is looked at for now."""
        found = self._failures.get(address)
        return found is not None and now_ms < found.until_ms

    def failed(self, address: str, now_ms: int) -> None:
        """A wrong password."""
        tries = self._failures.pop(address, _Failures(0, 0)).tries + 1
        wait_ms = min(WAIT_MS_MAX, WAIT_MS * 2 ** min(tries - TRIES_MAX, 16)) if tries >= TRIES_MAX else 0
        while len(self._failures) >= ADDRESSES_MAX:
            del self._failures[next(iter(self._failures))]
        self._failures[address] = _Failures(tries, now_ms + wait_ms)

    def passed(self, address: str) -> None:
        """A right one: what was before is forgotten."""
        self._failures.pop(address, None)
