"""What of people must be read again, and so is no hash: kept sealed, with a key that is not in the database.

AES-256-GCM with the owner's id as associated data: a secret that is copied into another row does not open there.
"""

import hmac
import os
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_FILE = "people.key"
KEY_BYTES = 32
_NONCE_BYTES = 12


class PeopleKeyError(Exception):
    """The key can't be used; the message says why."""


class SealBroken(Exception):
    """It was not sealed with this key, for this owner."""


class PeopleKey:
    """Seals, opens, and makes aliases. Of one key several are made, each for one use."""

    def __init__(self, key: bytes) -> None:
        self._seal = AESGCM(_derived(key, b"linli people: seal"))
        self._alias = _derived(key, b"linli people: alias")

    def sealed(self, secret: bytes, owner: str) -> str:
        """Base64 of nonce and ciphertext: 28 bytes more than the secret."""
        nonce = os.urandom(_NONCE_BYTES)
        return b64encode(nonce + self._seal.encrypt(nonce, secret, owner.encode())).decode()

    def opened(self, text: str, owner: str) -> bytes:
        """Raises SealBroken."""
        try:
            sealed = b64decode(text, validate=True)
            return self._seal.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], owner.encode())
        except (InvalidTag, ValueError) as error:
            raise SealBroken("sealed with another key, for another owner, or changed") from error

    def alias(self, text: str) -> str:
        """A keyed hash: who has the database alone can't try what it is of."""
        return hmac.new(self._alias, text.encode(), sha256).hexdigest()


def people_key(data_dir: Path, brought: Path | None) -> PeopleKey:
    """The key; one is made in the data folder unless a file is brought. It holds 64 hexadecimal digits.

    Raises PeopleKeyError.
    """
    path = brought or data_dir / KEY_FILE
    try:
        if brought is None and not path.exists():
            _make(path)
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise PeopleKeyError(f"{path}: {error}") from error
    if len(key) != KEY_BYTES:
        raise PeopleKeyError(f"{path}: {len(key)} bytes in place of {KEY_BYTES}, in hexadecimal digits")
    return PeopleKey(key)


def _make(path: Path) -> None:
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(os.urandom(KEY_BYTES).hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _derived(key: bytes, use: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=use).derive(key)
