"""Whatever is done to an export, the verifier finds it, offline, and names the first entry that is not as it was."""

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Sequence
from itertools import pairwise

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_api.audit.checkpoints import Checkpoint, checkpoint_line, signed_checkpoint
from cloud_api.audit.entries import BEGIN, Draft, Entry, Head, extended, line_of, read_line
from cloud_api.audit.verification import checkpoints_in, verify

OURS, FOREIGN = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
KEYS = [OURS.public_key()]
ANY = st.text(max_size=8)
DRAFTS = st.lists(
    st.builds(
        Draft,
        at_ms=st.integers(0, 2**42),
        actor=ANY,
        action=ANY,
        target=ANY,
        community=ANY,
        outcome=st.sampled_from(["done", "refused", "failed"]),
        details=st.dictionaries(
            ANY, st.one_of(ANY, st.integers(-(2**50), 2**50), st.floats(allow_nan=False)), max_size=2
        ),
    ),
    min_size=4,
    max_size=7,
)
unhurried = settings(deadline=None, max_examples=60)


def chain(drafts: Sequence[Draft]) -> tuple[list[Entry], list[bytes], Checkpoint]:
    entries = extended(Head(), drafts)
    last = entries[-1]
    return entries, [line_of(entry) for entry in entries], signed_checkpoint(last.seq, last.hash, 5, OURS)


def fault(lines: Sequence[bytes], *checkpoints: Checkpoint) -> tuple[int, str] | None:
    found = verify([line + b"\n" for line in lines], checkpoints, KEYS).fault
    return (found.seq, found.what) if found else None


@unhurried
@given(DRAFTS)
def test_what_was_written_down_hangs_together_and_is_a_line_each(drafts: list[Draft]) -> None:
    entries, lines, checkpoint = chain(drafts)
    assert fault(lines, checkpoint) is None
    assert not any(b"\n" in line or b"\r" in line for line in lines), "an entry would be two lines"
    assert [json.loads(line)["seq"] for line in lines] == [*range(1, len(lines) + 1)]
    assert entries[0].previous == BEGIN
    exported = b"".join(line + b"\n" for line in [*lines, checkpoint_line(checkpoint)])
    assert checkpoints_in(exported) == [checkpoint]


@unhurried
@given(DRAFTS, st.data())
def test_one_byte_changed(drafts: list[Draft], data: st.DataObject) -> None:
    _, lines, checkpoint = chain(drafts)
    at = data.draw(st.integers(0, len(lines) - 1))
    place = data.draw(st.integers(0, len(lines[at]) - 1))
    byte = lines[at][place] ^ (1 << data.draw(st.integers(0, 6)))
    changed = lines[at][:place] + bytes([byte]) + lines[at][place + 1 :]
    if changed[place : place + 1] in (b"\r", b"\n"):
        return  # two lines: the first of them is no entry's, as below
    found = fault([*lines[:at], changed, *lines[at + 1 :]], checkpoint)
    assert found is not None
    assert found[0] <= at + 1 or found[1] in ("missing", "swapped"), "a later entry was named"


@unhurried
@given(DRAFTS, st.data())
def test_a_field_edited_in_the_database(drafts: list[Draft], data: st.DataObject) -> None:
    entries, lines, checkpoint = chain(drafts)
    at = data.draw(st.integers(0, len(lines) - 1))
    edited = entries[at]._replace(actor=entries[at].actor + "x")
    assert fault([*lines[:at], line_of(edited), *lines[at + 1 :]], checkpoint) == (at + 1, "altered")


@unhurried
@given(DRAFTS, st.data())
def test_an_entry_edited_and_hashed_anew(drafts: list[Draft], data: st.DataObject) -> None:
    entries, lines, checkpoint = chain(drafts)
    at = data.draw(st.integers(0, len(lines) - 1))
    head = Head(entries[at].seq - 1, entries[at].previous)
    (forged,) = extended(head, [drafts[at]._replace(actor="somebody else")])
    expected = "recomputed" if at == len(lines) - 1 else "replaced"
    assert fault([*lines[:at], line_of(forged), *lines[at + 1 :]], checkpoint) == (at + 1, expected)


@unhurried
@given(DRAFTS, st.data())
def test_an_entry_taken_out(drafts: list[Draft], data: st.DataObject) -> None:
    _, lines, checkpoint = chain(drafts)
    at = data.draw(st.integers(0, len(lines) - 1))
    expected = "truncated" if at == len(lines) - 1 else "missing"
    assert fault([*lines[:at], *lines[at + 1 :]], checkpoint) == (at + 1, expected)


@unhurried
@given(DRAFTS, st.data())
def test_two_entries_swapped(drafts: list[Draft], data: st.DataObject) -> None:
    _, lines, checkpoint = chain(drafts)
    first, second = sorted(data.draw(st.lists(st.integers(0, len(lines) - 1), min_size=2, max_size=2, unique=True)))
    lines[first], lines[second] = lines[second], lines[first]
    assert fault(lines, checkpoint) == (first + 1, "swapped")


@unhurried
@given(DRAFTS, st.data())
def test_the_end_cut_off(drafts: list[Draft], data: st.DataObject) -> None:
    _, lines, checkpoint = chain(drafts)
    left = data.draw(st.integers(0, len(lines) - 1))
    assert fault(lines[:left], checkpoint) == (left + 1, "truncated")


@unhurried
@given(DRAFTS, st.data())
def test_the_whole_chain_made_anew(drafts: list[Draft], data: st.DataObject) -> None:
    """By somebody who can write in the database, and who may even sign, with another key than ours."""
    _, _, checkpoint = chain(drafts)
    at = data.draw(st.integers(0, len(drafts) - 1))
    drafts[at] = drafts[at]._replace(details={"nothing": "happened"}, actor="nobody at all")
    anew, lines, _ = chain(drafts)
    assert fault(lines, checkpoint) == (len(lines), "recomputed")
    forged = signed_checkpoint(anew[-1].seq, anew[-1].hash, 5, FOREIGN)
    assert fault(lines, forged) == (len(lines), "checkpoint_forged")
    moved = Checkpoint(
        checkpoint=anew[-1].seq, hash=anew[-1].hash, at_ms=5, key_id=checkpoint.key_id, signature=checkpoint.signature
    )
    assert fault(lines, moved) == (len(lines), "checkpoint_forged")
    unsigned = Checkpoint(
        checkpoint=1, hash=anew[0].hash, at_ms=5, key_id="", signature=b64encode(b"no signature").decode()
    )
    assert fault(lines, unsigned) == (1, "checkpoint_forged")


def test_an_entry_twice_and_a_line_that_is_none() -> None:
    draft = Draft(1, "a", "b", "c", "", "done", {})
    _, lines, checkpoint = chain([draft] * 4)
    assert fault([*lines[:2], lines[1], *lines[2:]], checkpoint) == (2, "repeated")
    assert fault([*lines[:2], b"{}", *lines[2:]], checkpoint) == (3, "unreadable")


def test_a_line_can_be_checked_without_any_code_of_ours() -> None:
    """docs/audit.md: take the hash off the line's end, and hash what is left."""
    _, lines, _ = chain([Draft(1, "evil\n{}", "b", "c\u2028d", "", "done", {"x": 1.5})] * 4)
    for line, following in pairwise(lines):
        plain = re.sub(rb',"hash":"([0-9a-f]{64})"}$', b"}", line)
        assert hashlib.sha256(plain).hexdigest() == json.loads(line)["hash"] == json.loads(following)["previous"]
        assert read_line(line).true_hash == json.loads(line)["hash"]
