"""The audit's entries and how they hang together. Pure.

An entry is one line of JSON. ``previous`` is the hash of the entry before it, so none can be changed, taken out or moved without
changing all that follow. ``hash``, the line's last field, is SHA-256 of the line without it: a reader needs no code of ours.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

BEGIN = "0" * 64
"""``previous`` of the first entry."""
TEXT_MAX = 300
"""Characters of an actor, action, target or outcome that are kept."""
DETAILS_BYTES_MAX = 8_192
DETAILS_PARTS_MAX = 200
"""Lists and objects in an entry's details, so that whoever reads them is not led too deep."""
_TAIL = len(',"hash":""}') + 64


class Draft(NamedTuple):
    """What is to be written down.

    actor      who: an id, never a person's name
    action     what was asked: the name of a route, or of what a gateway told of
    target     of what, e.g. "devices/dev-z72blpgg5flow7sn"
    community  whose, "" when it is nobody's in particular
    outcome    done, refused (by us), failed (our fault)
    details    what belongs to it; never a secret, never a person's name
    """

    at_ms: int
    actor: str
    action: str
    target: str
    community: str
    outcome: str
    details: Mapping[str, Any]


class Entry(NamedTuple):
    """An entry as it is kept; in the order of its fields on the line. details: JSON."""

    seq: int
    at_ms: int
    actor: str
    action: str
    target: str
    community: str
    outcome: str
    details: str
    previous: str
    hash: str


class Head(NamedTuple):
    """The last entry of a chain; of an empty one, what the first will follow."""

    seq: int = 0
    hash: str = BEGIN


class Line(NamedTuple):
    """What a line says. true_hash: what ``hash`` would be, were nothing changed."""

    seq: int
    previous: str
    hash: str
    true_hash: str


class _Links(msgspec.Struct):
    seq: int
    previous: str
    hash: str


def extended(head: Head, drafts: Iterable[Draft]) -> list[Entry]:
    """The entries that follow ``head``."""
    entries = []
    for draft in drafts:
        entry = Entry(
            head.seq + 1,
            draft.at_ms,
            _plain(draft.actor),
            _plain(draft.action),
            _plain(draft.target),
            _plain(draft.community),
            _plain(draft.outcome),
            _details(draft.details),
            head.hash,
            "",
        )
        entry = entry._replace(hash=hashlib.sha256(_body(entry)).hexdigest())
        entries.append(entry)
        head = Head(entry.seq, entry.hash)
    return entries


def line_of(entry: Entry) -> bytes:
    """The entry as its line, without the line's end. Made from what is kept: whatever was changed there shows here."""
    return _body(entry)[:-1] + f',"hash":"{entry.hash}"}}'.encode()


def read_line(line: bytes) -> Line:
    """What a line says. Raises ValueError when it is no entry's."""
    links = msgspec.json.decode(line, type=_Links)
    if line[-_TAIL:] != f',"hash":"{links.hash}"}}'.encode():
        raise ValueError("the hash is not its last field")
    return Line(links.seq, links.previous, links.hash, hashlib.sha256(line[:-_TAIL] + b"}").hexdigest())


def _body(entry: Entry) -> bytes:
    fields = entry._asdict()
    del fields["hash"]
    return msgspec.json.encode(fields | {"details": msgspec.Raw(entry.details.encode())})


def _details(details: Mapping[str, Any]) -> str:
    """As JSON. What people sent may be in it, and whatever that is, it is no reason to write nothing down."""
    try:
        encoded = msgspec.json.encode(details, order="sorted", enc_hook=str)
    except (ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        return msgspec.json.encode({"left_out": type(error).__name__}).decode()
    if len(encoded) > DETAILS_BYTES_MAX or encoded.count(b"[") + encoded.count(b"{") > DETAILS_PARTS_MAX:
        return '{"left_out":"too large"}'
    return encoded.decode()


def _plain(text: str) -> str:
    """As every database takes it. A line's end within it is escaped by JSON, so it can't begin a line of its own."""
    return text[:TEXT_MAX].encode("utf-8", "replace").decode().replace("\0", "\ufffd")
