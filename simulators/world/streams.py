"""Random streams: one for each purpose of each thing, so that adding a device changes no other device's chances."""

from hashlib import blake2b
from random import Random


def stream(seed: int, *names: str) -> Random:
    """The stream of this name under this seed; the same in every process, whatever PYTHONHASHSEED is."""
    text = "\x1f".join((str(seed), *names))
    return Random(int.from_bytes(blake2b(text.encode(), digest_size=16).digest(), "big"))
