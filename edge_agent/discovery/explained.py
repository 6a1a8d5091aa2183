"""Which part of a message a profile understands: what would be read otherwise, or not at all, if it were not there."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from edge_agent.profiles import Decoded, Undecodable
from edge_agent.profiles.envelopes import Message, Opened
from edge_agent.profiles.messages import CompiledMessage

FIELDS_MAX = 64
"""So many fields (or bytes) of a message are looked at; each costs one decode."""

Field = tuple[str, str]
"""Where it stands, and its JSON type. Elements of a list stand at the same place."""


class Explained(NamedTuple):
    """Fields that are understood, and fields that there are; of a device's own bytes, bytes."""

    known: int
    all: int

    @property
    def share(self) -> float:
        """0..1."""
        return self.known / self.all if self.all else 0.0


def explained(reader: CompiledMessage, message: Message, captures: Mapping[str, str], now_ms: int) -> Explained:
    """Leave out one field after the other (of bytes: turn it over) and see whether the reader notices.

    The reader can read the message as it is.
    """
    alone = Message(message.topic, message.payload)
    opened = reader.open(alone)
    (envelope,) = alone.opened
    whole = _read(reader, alone, captures, now_ms)

    def is_noticed() -> bool:
        return _read(reader, alone, captures, now_ms) != whole

    known = looked_at = 0
    if reader.codec is not None:
        for at in range(min(len(opened.data), FIELDS_MAX)):
            data = bytearray(opened.data)
            data[at] ^= 0xFF
            alone.opened[envelope] = opened.with_data(bytes(data))
            known += is_noticed()
            looked_at += 1
    elif type(opened.body) not in (dict, list):
        return Explained(1, 1)  # a lone value, and it was read
    else:
        for parent, key in _fields(opened):
            value = parent.pop(key)
            known += is_noticed()
            looked_at += 1
            if type(parent) is list:
                parent.insert(key, value)
            else:
                parent[key] = value
    return Explained(known, looked_at)


def _read(
    reader: CompiledMessage, message: Message, captures: Mapping[str, str], now_ms: int
) -> tuple[Decoded, ...] | None:
    try:
        return reader.decode(message, dict(captures), now_ms)
    except Undecodable:
        return None


def _fields(opened: Opened) -> Iterator[tuple[Any, Any]]:
    """(parent, key) of one field of each place and type, FIELDS_MAX at most."""
    found: dict[Field, tuple[Any, Any]] = {}
    waiting: list[tuple[str, Any]] = [("", opened.body)]
    while waiting and len(found) < FIELDS_MAX:
        path, parent = waiting.pop()
        pairs = list(parent.items()) if type(parent) is dict else list(enumerate(parent[:FIELDS_MAX]))
        for key, value in pairs:
            place = f"{path}.{key}" if type(parent) is dict else f"{path}[]"
            if type(value) in (dict, list):
                waiting.append((place, value))
            else:
                found.setdefault((place, type(value).__name__), (parent, key))
    yield from list(found.values())[:FIELDS_MAX]
