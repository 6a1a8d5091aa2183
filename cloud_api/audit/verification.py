"""Is this export what was written down? Pure, and needs nothing but the export, checkpoints and the cloud's public key.

Every fault is named by the first entry that is not as it was: what follows a changed entry is not looked at any more.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cloud_api.audit.checkpoints import MARK, Checkpoint, is_genuine, read_checkpoint
from cloud_api.audit.entries import Head, read_line

What = Literal[
    "unreadable",
    "altered",
    "replaced",
    "missing",
    "swapped",
    "repeated",
    "truncated",
    "recomputed",
    "checkpoint_forged",
]
_MESSAGES = {
    "unreadable": "is no entry",
    "altered": "is not what its hash says",
    "replaced": "is not the one that the next entry follows: it was changed and hashed anew, or another put in its place",
    "missing": "is not there",
    "swapped": "does not stand in its place, but later",
    "repeated": "is there a second time",
    "truncated": "and what follows is not there: a checkpoint knows of more",
    "recomputed": "or one before it was changed, and all hashes made anew: a checkpoint knows another",
    "checkpoint_forged": "has a checkpoint that is not signed by the given key",
}


class Fault(NamedTuple):
    """The first entry that is not as it was. line: where in the export, from 1; 0 for what is not there."""

    seq: int
    line: int
    what: What

    def __str__(self) -> str:
        place = f" (line {self.line})" if self.line else ""
        return f"entry {self.seq}{place} {_MESSAGES[self.what]}"


class Verdict(NamedTuple):
    """entries: up to which number they hang together. checkpoints: those that were met and hold; fault: None is good.
    removed: so many were taken out before the first, as they were old; a checkpoint says so."""

    entries: int
    checkpoints: list[Checkpoint]
    fault: Fault | None
    removed: int = 0


class _Listed(msgspec.Struct):
    items: list[Checkpoint]


def checkpoints_in(document: bytes) -> list[Checkpoint]:
    """The checkpoints of an export, of a file of their lines, or of an answer of GET audit/checkpoints. Raises ValueError."""
    lines = document.splitlines()
    if len(lines) == 1 and not lines[0].startswith((MARK, b'{"seq":')):
        return msgspec.json.decode(document, type=_Listed).items
    return [read_checkpoint(line) for line in lines if line.startswith(MARK)]


def verify(export: Iterable[bytes], checkpoints: Sequence[Checkpoint], keys: Sequence[Ed25519PublicKey]) -> Verdict:
    """Judge an export: lines of entries from the first on; lines of checkpoints among them are passed over.

    An export that begins with a checkpoint is of a chain whose older entries were removed: it goes on from there.

    checkpoints  those of the export, and others that were taken away earlier
    keys         whose signatures on checkpoints count; none: signatures are not looked at
    """
    due: dict[int, list[Checkpoint]] = {}
    for checkpoint in checkpoints:
        if keys and not is_genuine(checkpoint, list(keys)):
            return Verdict(0, [], Fault(checkpoint.checkpoint, 0, "checkpoint_forged"))
        due.setdefault(checkpoint.checkpoint, []).append(checkpoint)
    head = Head()
    held: list[Checkpoint] = []
    removed = 0

    def bad(seq: int, line: int, what: What) -> Verdict:
        return Verdict(head.seq, held, Fault(seq, line, what), removed)

    held += due.pop(0, ())  # over a chain that had not begun
    lines = enumerate((line.rstrip(b"\r\n") for line in export), 1)
    for number, text in lines:
        if number == 1 and text.startswith(MARK) and (begin := _beginning(text, due)):
            if any(each.hash != begin.hash for each in due[begin.checkpoint]):
                return bad(begin.checkpoint, number, "recomputed")
            head, removed = Head(begin.checkpoint, begin.hash), begin.checkpoint
            held += due.pop(removed)
            due = {seq: those for seq, those in due.items() if seq > removed}  # what they were over is not there
        if not text or text.startswith(MARK):
            continue
        try:
            line = read_line(text)
        except ValueError:
            return bad(head.seq + 1, number, "unreadable")
        if line.seq <= head.seq:
            return bad(line.seq, number, "repeated")
        if line.seq != head.seq + 1:
            later = _line_of(head.seq + 1, lines)
            return bad(head.seq + 1, later, "swapped" if later else "missing")
        if line.hash != line.true_hash:
            return bad(line.seq, number, "altered")
        if line.previous != head.hash:
            return bad(max(head.seq, 1), number - (head.seq > 0), "replaced")
        head = Head(line.seq, line.hash)
        for checkpoint in due.pop(line.seq, ()):
            if checkpoint.hash != line.hash:
                return bad(line.seq, number, "recomputed")
            held.append(checkpoint)
    if due:
        return bad(head.seq + 1, 0, "truncated")
    return Verdict(head.seq, held, None, removed)


def _beginning(line: bytes, due: Mapping[int, Sequence[Checkpoint]]) -> Checkpoint | None:
    """The checkpoint after which an export begins, if it is one of those that are known, and so looked at."""
    try:
        begin = read_checkpoint(line)
    except ValueError:
        return None
    return begin if begin in due.get(begin.checkpoint, ()) else None


def _line_of(seq: int, lines: Iterator[tuple[int, bytes]]) -> int:
    """On which later line the entry stands, 0: on none."""
    for number, text in lines:
        try:
            if not text.startswith(MARK) and read_line(text).seq == seq:
                return number
        except ValueError:
            continue
    return 0
