"""A damaged outbox: what can be read is brought over under its own numbers, the rest is declared, a new epoch begins."""

import contextlib
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.frame import decode_frame, read_header
from contracts.messages import Dropped, EpochBegun, Record
from edge_agent.outbox import Batch, CommandEntry, Outbox
from edge_agent.outbox.batch import Delivery
from edge_agent.outbox.file import OutboxDamaged, OutboxNewer, set_aside
from edge_agent.outbox.salvage import keep_hint, open_outbox, renew
from tests.property.edge.test_outbox import reading

NOW_MS = 1_790_000_000_000
FRAMES = 120
WAITING_FRAMES = 12


def opened(path: Path) -> Outbox:
    return open_outbox(path / "outbox.sqlite", "gw-1", 1 << 30, lambda: NOW_MS)


def filled(path: Path) -> Outbox:
    """An outbox of FRAMES frames of 20 samples, the first 30 acknowledged."""
    outbox = opened(path)
    for number in range(FRAMES):
        readings = [reading(number * 20 + n) for n in range(20)]
        outbox.commit(Batch(readings=readings, deliveries=[Delivery(number + 1, bytes(8))], messages=20))
    outbox.commit(Batch(commands=[CommandEntry("c1", "succeeded", "", 5)]))
    outbox.acked("bulk", [(1, 30)])
    return outbox


def records(outbox: Outbox) -> list[Record]:
    found: list[Record] = []
    for seq in range(1, outbox.lanes["urgent"].last_seq + 1):
        payload = outbox.read("urgent", seq)
        assert payload is not None
        found += decode_frame(payload).records
    return found


def check(outbox: Outbox, old_epoch: str) -> int:
    """Every number of the old epoch is brought over, or declared. Returns how many frames were brought over."""
    assert outbox.epoch != old_epoch
    said = records(outbox)
    assert [word.before for word in said if isinstance(word, EpochBegun)] == [old_epoch]
    brought = {frame.seq: frame for frame in outbox.epochs.earlier(10_000)}
    for frame in brought.values():
        header = read_header(frame.payload)
        assert (header.epoch, header.seq, frame.epoch, frame.lane) == (old_epoch, frame.seq, old_epoch, "bulk")
        assert [s.value for r in decode_frame(frame.payload).readings for s in r.samples] == list(
            range((frame.seq - 1) * 20, frame.seq * 20)
        )
    lost: set[int] = set()
    samples = 0
    for word in said:
        if isinstance(word, Dropped):
            assert (word.epoch, word.lane, word.reason) == (old_epoch, "bulk", "file_damaged")
            assert word.samples == 20 * (word.last_seq - word.first_seq + 1)
            lost |= set(range(word.first_seq, word.last_seq + 1))
            samples += word.samples
    assert not lost & set(brought)
    assert lost | set(brought) >= set(range(31, FRAMES + 1)), "a number is neither here nor declared"
    return len(brought)


@given(
    places=st.lists(st.tuples(st.floats(0.0, 1.0), st.integers(1, 3)), min_size=1, max_size=4),
    value=st.sampled_from([0, 255, 7]),
)
@settings(max_examples=20, deadline=None)
def test_pages_overwritten(
    tmp_path_factory: pytest.TempPathFactory, places: list[tuple[float, int]], value: int
) -> None:
    path = tmp_path_factory.mktemp("outbox")
    outbox = filled(path)
    epoch = outbox.epoch
    keep_hint(outbox)
    outbox.close()
    file = path / "outbox.sqlite"
    content = bytearray(file.read_bytes())
    for place, pages in places:
        at = int(place * (len(content) // 4096 - 1)) * 4096
        content[at : at + pages * 4096] = bytes([value]) * len(content[at : at + pages * 4096])
    file.write_bytes(content)
    again = opened(path)
    if again.epoch == epoch:  # the pages hit were free ones: nothing was damaged
        assert again.unacked("bulk") == [(31, FRAMES)]
    else:
        check(again, epoch)
    again.commit(Batch(readings=[reading(1)], messages=1))
    again.close()


@given(source=st.floats(0.0, 1.0), target=st.floats(0.0, 1.0), cells=st.integers(0, 999))
@settings(max_examples=20, deadline=None)
def test_pages_out_of_order(tmp_path_factory: pytest.TempPathFactory, source: float, target: float, cells: int) -> None:
    """A page that stands in another's place, its cells shuffled: reading it must come to an end."""
    path = tmp_path_factory.mktemp("outbox")
    outbox = filled(path)
    epoch = outbox.epoch
    keep_hint(outbox)
    outbox.close()
    file = path / "outbox.sqlite"
    content = bytearray(file.read_bytes())
    pages = len(content) // 4096
    page = content[int(source * (pages - 1)) * 4096 :][:4096]
    if page[0] == 13:  # a leaf of a table: an array of 16-bit cell pointers begins at 8
        count = int.from_bytes(page[3:5])
        pointers = [page[8 + 2 * n : 10 + 2 * n] for n in range(count)]
        random.Random(cells).shuffle(pointers)  # not drawn: how many there are is not the same in each run
        page[8 : 8 + 2 * count] = b"".join(pointers)
    at = (1 + int(target * (pages - 2))) * 4096  # not the first page, which names the tables
    content[at : at + 4096] = page
    file.write_bytes(content)
    again = opened(path)
    if again.epoch != epoch:
        check(again, epoch)
    again.close()


@pytest.mark.parametrize("keep", [0, 100, 4096, 50_000])
def test_a_file_cut_short(tmp_path: Path, keep: int) -> None:
    outbox = filled(tmp_path)
    epoch = outbox.epoch
    keep_hint(outbox)
    outbox.close()
    with (tmp_path / "outbox.sqlite").open("r+b") as file:
        file.truncate(keep)
    check(opened(tmp_path), epoch)
    assert not list(tmp_path.glob("outbox-damaged*")), "what is salvaged is put away"


def test_a_table_whose_description_is_spoilt(tmp_path: Path) -> None:
    """The first page says what the tables are; a letter of it may be another without any check that notices."""
    outbox = filled(tmp_path)
    epoch = outbox.epoch
    keep_hint(outbox)
    outbox.close()
    file = tmp_path / "outbox.sqlite"
    content = file.read_bytes()
    assert content.count(b"dropped INTEGER") == 1
    file.write_bytes(content.replace(b"dropped INTEGER", b"drapped INTEGER"))
    check(opened(tmp_path), epoch)


def test_a_salvage_that_was_cut_off_is_done_again(tmp_path: Path) -> None:
    outbox = filled(tmp_path)
    epoch = outbox.epoch
    keep_hint(outbox)
    outbox.close()
    (tmp_path / "outbox.sqlite").rename(tmp_path / "outbox-damaged-1.sqlite")
    first = opened(tmp_path)
    brought = len(first.epochs.earlier(10_000))
    assert brought == FRAMES - 30
    assert first.command("c1") == CommandEntry("c1", "succeeded", "", 5)
    assert len(first.recent) == FRAMES
    first.close()
    (tmp_path / "outbox-salvaged-1.sqlite").rename(tmp_path / "outbox-damaged-1.sqlite")
    again = opened(tmp_path)
    assert len(again.epochs.earlier(10_000)) == brought
    assert epoch != again.epoch == first.epoch
    assert again.held_bytes == first.held_bytes + sum(
        len(again.read("urgent", seq) or b"") for seq in range(first.lanes["urgent"].last_seq + 1, 100)
    )


class Crash(BaseException):
    """The agent dies here."""


@given(
    damage=st.lists(st.lists(st.floats(0.0, 1.0), max_size=3), min_size=2, max_size=4),
    dies_at=st.lists(st.integers(1, 6), max_size=2),
)
@settings(max_examples=15, deadline=None)
def test_several_damaged_files_that_wait(
    tmp_path_factory: pytest.TempPathFactory, damage: list[list[float]], dies_at: list[int]
) -> None:
    """Each was damaged before the one before it could be salvaged; then the salvage is cut off too."""
    path = tmp_path_factory.mktemp("outbox")
    file = path / "outbox.sqlite"
    epochs: list[str] = []
    for number, places in enumerate(damage, 9):  # 9, 10, 11: in the order of numbers, not of letters
        outbox = Outbox(file, "gw-1", 1 << 30, lambda: NOW_MS)
        for n in range(WAITING_FRAMES):  # of some pages each
            outbox.commit(Batch(readings=[reading(n * 400 + i) for i in range(400)], messages=400))
        keep_hint(outbox)
        epochs.append(outbox.epoch)
        outbox.close()
        content = bytearray(file.read_bytes())
        for place in places:
            at = (1 + int(place * (len(content) // 4096 - 2))) * 4096
            content[at : at + 4096] = bytes(4096)
        file.write_bytes(content)
        file.rename(path / f"outbox-damaged-{number}.sqlite")
    for after in dies_at:
        left = iter(range(after, 0, -1))

        def checkpoint(place: str, left: Iterator[int] = left) -> None:
            if place in ("in_salvage", "salvaged") and next(left, 1) == 1:
                raise Crash

        with contextlib.suppress(Crash):
            open_outbox(file, "gw-1", 1 << 30, lambda: NOW_MS, checkpoint=checkpoint).close()
    again = opened(path)
    here = {(frame.epoch, frame.seq) for frame in again.epochs.earlier(10_000)}
    words = records(again)
    lost = {
        (word.epoch, seq)
        for word in words
        if isinstance(word, Dropped) and word.lane == "bulk"
        for seq in range(word.first_seq, word.last_seq + 1)
    }
    assert {word.before for word in words if isinstance(word, EpochBegun)} >= set(epochs[-1:])
    for epoch, places in zip(epochs, damage, strict=True):
        held = {seq for of, seq in here if of == epoch}
        given_up = {seq for of, seq in lost if of == epoch}
        if not places:
            assert held == set(range(1, WAITING_FRAMES + 1)), "a sound file was not brought over"
        known = epoch == epochs[-1] or held or given_up  # of the last one the notes beside it tell, whatever is damaged
        assert not known or held | given_up >= set(range(1, max(held | given_up) + 1)), "a hole is not declared"
        assert not held & given_up
    assert {(epochs[-1], seq) for seq in range(1, WAITING_FRAMES + 1)} <= here | lost
    assert not list(path.glob("outbox-damaged*"))
    assert [each.name for each in path.glob("outbox-salvaged*.sqlite")] == [f"outbox-salvaged-{number}.sqlite"]
    again.close()


def test_a_file_set_aside_overwrites_none_that_waits(tmp_path: Path) -> None:
    """The clock may stand still, or have been set back."""
    names = []
    for at_ms in (5, 5, 3):
        (tmp_path / "outbox.sqlite").write_bytes(b"x")
        names.append(set_aside(tmp_path / "outbox.sqlite", at_ms).name)
    assert names == [f"outbox-damaged-{number}.sqlite" for number in (5, 6, 7)]


def test_a_file_deleted_while_it_is_open_is_written_again(tmp_path: Path) -> None:
    outbox = filled(tmp_path)
    epoch = outbox.epoch
    for file in tmp_path.glob("outbox.sqlite*"):
        file.unlink()
    outbox.commit(Batch(readings=[reading(1)], messages=1))
    outbox.close()
    again = opened(tmp_path)
    assert again.epoch == epoch
    assert again.unacked("bulk") == [(31, FRAMES + 1)]
    assert len(again.recent) == FRAMES


def test_damage_found_while_it_is_open(tmp_path: Path) -> None:
    outbox = filled(tmp_path)
    epoch = outbox.epoch
    recent = dict(outbox.recent)
    outbox.close()
    outbox.open()
    with (tmp_path / "outbox.sqlite").open("r+b") as file:
        file.seek(4096)
        file.write(b"\0" * 4096 * 5)
    outbox._db.connection.execute("PRAGMA shrink_memory")  # so that it reads the file, not its cache
    with pytest.raises(sqlite3.DatabaseError):
        for seq in range(1, FRAMES + 1):
            outbox.read("bulk", seq)
    renew(outbox)
    check(outbox, epoch)
    assert outbox.recent == recent, "a message that comes again is still recognised"


def test_a_later_version_is_left_alone(tmp_path: Path) -> None:
    opened(tmp_path).close()
    db = sqlite3.connect(tmp_path / "outbox.sqlite")
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(OutboxNewer, match="newer agent"):
        opened(tmp_path)


def test_the_first_version_is_brought_up(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    old = sqlite3.connect(path)
    old.executescript(
        """
        CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE frames (lane INTEGER NOT NULL, seq INTEGER NOT NULL, samples INTEGER NOT NULL,
            born_ms INTEGER NOT NULL, acked INTEGER NOT NULL DEFAULT 0, payload BLOB NOT NULL, PRIMARY KEY (lane, seq));
        CREATE INDEX frames_unacked ON frames (lane, seq) WHERE acked = 0;
        CREATE TABLE lanes (lane INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, produced INTEGER NOT NULL,
            dropped INTEGER NOT NULL);
        INSERT INTO meta VALUES ('epoch', '0123456789abcdef');
        INSERT INTO frames VALUES (1, 7, 3, 5, 0, x'aa'), (1, 6, 3, 5, 1, x'bb');
        INSERT INTO lanes VALUES (1, 7, 21, 0);
        """
    )
    old.close()
    outbox = opened(tmp_path)
    assert outbox.epoch == "0123456789abcdef"
    assert outbox.unacked("bulk") == [(7, 7)]
    assert outbox.read("bulk", 6) == b"\xbb"
    assert outbox.lanes["bulk"].produced == 21


def test_what_is_no_database_is_damage(tmp_path: Path) -> None:
    (tmp_path / "outbox.sqlite").write_bytes(b"not a database at all" * 500)
    with pytest.raises(OutboxDamaged):
        Outbox(tmp_path / "outbox.sqlite", "gw-1", 1 << 30, lambda: NOW_MS)
    assert opened(tmp_path).lanes["bulk"].produced == 0
