"""Whose word a message of the cloud is: signed are its bytes as they travel, so there is no second form that could differ. Pure.

The signature is the last field of the message: 64 bytes at its end, Ed25519 over a word for its purpose and everything that
stands before them. Who knows no signatures reads such a message as ever; fields of later versions stand before it.
"""

import hashlib
import re
from collections.abc import Sequence

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from contracts.messages import Command, DesiredState

KEYS_MAX = 2
"""Keys that are accepted at once: the present one and, while keys are changed, the next."""
SIGNATURE_BYTES = 64

_PURPOSES = {Command: b"linli command\0", DesiredState: b"linli desired\0"}
"""One key signs for several purposes: a signature for one is none for another."""
_FIELD = msgspec.msgpack.encode("signature") + bytes([0xC4, SIGNATURE_BYTES])
"""What stands before the signature: the field's name, and MessagePack's head of 64 bytes."""
_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)


def key_id(key: Ed25519PublicKey) -> str:
    """The name of a key: the first 16 hexadecimal digits of its SHA-256."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


def seal(message: Command | DesiredState, key: Ed25519PrivateKey) -> bytes:
    """The message as it travels, signed. Its ``key_id`` and ``signature`` are set here."""
    named = msgspec.structs.replace(message, key_id=key_id(key.public_key()), signature=bytes(SIGNATURE_BYTES))
    body = msgspec.msgpack.encode(named)[:-SIGNATURE_BYTES]
    return body + key.sign(_PURPOSES[type(message)] + body)


def fault_of_seal(
    message: Command | DesiredState, payload: bytes, gateway: str, keys: Sequence[Ed25519PublicKey]
) -> str:
    """Why this is not the cloud's word to this gateway: "" when it is, else a snake_case word.

    message  what ``payload``, the bytes as they came, was read as
    """
    if not message.signature:
        return "signature_missing"
    if not keys:
        return "no_cloud_key"
    key = next((key for key in keys if key_id(key) == message.key_id), None)
    if key is None:
        return "key_unknown"
    body, signature = payload[:-SIGNATURE_BYTES], payload[-SIGNATURE_BYTES:]
    if not body.endswith(_FIELD) or not holds(key, signature, _PURPOSES[type(message)] + body):
        return "signature_wrong"
    return "" if message.gateway == gateway else "for_another_gateway"


def holds(key: Ed25519PublicKey, signature: bytes, signed: bytes) -> bool:
    """Is this the key's signature over these bytes?"""
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def public_keys(pem: bytes) -> list[Ed25519PublicKey]:
    """The Ed25519 public keys of a PEM file, one after the other. Raises ValueError."""
    keys = [serialization.load_pem_public_key(block) for block in _PEM.findall(pem)]
    if not 1 <= len(keys) <= KEYS_MAX:
        raise ValueError(f"holds {len(keys)} public keys; 1 to {KEYS_MAX} are allowed")
    ours = [key for key in keys if isinstance(key, Ed25519PublicKey)]
    if len(ours) != len(keys):
        raise ValueError("holds a key that is not Ed25519")
    return ours
