"""Checkpoints: signed words on how far the chain went, and to which hash. Pure.

Who can write in the database can make a new chain. A checkpoint that was taken away before shows that it is another one.
"""

import base64
import binascii

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from contracts.signature import holds, key_id

MARK = b'{"checkpoint":'
"""How a checkpoint's line begins; an entry's begins otherwise."""


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Entry ``checkpoint`` had this hash at this time. signature: base64, Ed25519 by the cloud's key."""

    checkpoint: int
    hash: str
    at_ms: int
    key_id: str
    signature: str = ""


def signed_checkpoint(seq: int, digest: str, at_ms: int, key: Ed25519PrivateKey) -> Checkpoint:
    """A new one."""
    plain = Checkpoint(checkpoint=seq, hash=digest, at_ms=at_ms, key_id=key_id(key.public_key()))
    signature = base64.b64encode(key.sign(_signed(plain))).decode()
    return msgspec.structs.replace(plain, signature=signature)


def checkpoint_line(checkpoint: Checkpoint) -> bytes:
    """As one line, without the line's end."""
    return msgspec.json.encode(checkpoint)


def read_checkpoint(line: bytes) -> Checkpoint:
    """Raises ValueError."""
    return msgspec.json.decode(line, type=Checkpoint)


def is_genuine(checkpoint: Checkpoint, keys: list[Ed25519PublicKey]) -> bool:
    """Did one of these keys sign it?"""
    try:
        signature = base64.b64decode(checkpoint.signature, validate=True)
    except binascii.Error:
        return False
    return any(holds(key, signature, _signed(checkpoint)) for key in keys)


def _signed(checkpoint: Checkpoint) -> bytes:
    return f"linli audit\0{checkpoint.checkpoint}\0{checkpoint.hash}\0{checkpoint.at_ms}".encode()
