"""What to do with a damaged outbox: set it aside, begin a new one, bring over what can still be read, declare the rest.

Every frame carries its own name and digest, so what is brought over is exactly what was committed. The frames keep
their epoch and numbers: a frame that the cloud has already is a no-op there.
"""

import contextlib
import json
import logging
import sqlite3
from collections.abc import Callable, Generator
from itertools import islice
from pathlib import Path
from typing import Any, cast

from contracts.frame import FrameError, FrameHeader, read_header
from contracts.messages import Dropped, Lane, Record
from contracts.topics import LANES
from edge_agent.outbox import knowledge
from edge_agent.outbox.batch import Batch
from edge_agent.outbox.file import OutboxDamaged, aside_number, files_of, set_aside
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.room import without

log = logging.getLogger(__name__)

ROWS_A_COMMIT = 64
TRIES_MAX = 4_096
"""Places in a damaged table that are tried before the rest of it is given up."""
RECORDS_A_BATCH = 200
ROWS_MAX = 200_000
"""Rows of what the gateway remembers; each of its tables is bounded far below."""
FILES_AT_ONCE = 16
"""Damaged files whose numbers are held in memory together."""


LaneName = tuple[str, str]
"""(epoch, lane)."""


def open_outbox(
    path: Path, gateway: str, bytes_max: int, now_ms: Callable[[], int], age_ms_max: int = 0, free_bytes_min: int = 0,
    checkpoint: Callable[[str], None] = lambda place: None,
) -> Outbox:  # fmt: skip
    """The outbox; a damaged one is replaced by a new one with what could be saved. Raises OutboxNewer, sqlite3.Error."""

    def opened() -> Outbox:
        return Outbox(path, gateway, bytes_max, now_ms, age_ms_max, free_bytes_min, checkpoint)

    try:
        outbox = opened()
    except OutboxDamaged as error:
        aside = set_aside(path, now_ms())
        log.error("outbox is damaged, a new one is begun", extra={"error": str(error), "aside": aside.name})
        checkpoint("set_aside")
        outbox = opened()
    _salvage_all(outbox)
    return outbox


def renew(outbox: Outbox) -> None:
    """The file turned out to be damaged while it was open: the same, with the object that others hold."""
    with contextlib.suppress(OSError):
        keep_hint(outbox)
    outbox.close()
    aside = set_aside(outbox.path, outbox.now_ms())
    log.error("outbox is damaged, a new one is begun", extra={"aside": aside.name})
    reopen(outbox)


def reopen(outbox: Outbox) -> None:
    """Open an outbox that an error has closed. Raises OutboxNewer, sqlite3.Error, and may then be tried again."""
    recent = dict(outbox.recent)
    try:
        outbox.open()
    except OutboxDamaged:
        set_aside(outbox.path, outbox.now_ms())
        outbox.open()
    if outbox.is_new:
        outbox.keep_deliveries(recent)
    _salvage_all(outbox)


def finish_salvage(outbox: Outbox) -> None:
    """Salvage again what an error of the disk has stopped."""
    if _asides(outbox):
        _salvage_all(outbox)


def keep_hint(outbox: Outbox) -> None:
    """Leave word of where the lanes stand, outside the file: it is what the range lost is known by if all else is gone."""
    path = _hint_path(outbox.path)
    fresh = path.with_suffix(".new")
    words = [[lane.epoch, lane.lane, lane.last_seq, lane.produced] for lane in outbox.lanes.values()]
    fresh.write_text(json.dumps(words), encoding="utf-8")
    fresh.replace(path)


def _hint_path(path: Path) -> Path:
    return path.with_name("outbox-lanes.json")


def _salvage_all(outbox: Outbox) -> None:
    """Also what an earlier start did not finish: bringing a frame over twice changes nothing.

    Several files are there when one was damaged while another waited: what is lost is what none of them has.
    """
    hint = _read_hint(_hint_path(outbox.path))
    lost_file = not any(epoch == outbox.epoch for epoch, *_ in hint) and bool(hint)
    asides = _asides(outbox)
    if not asides and lost_file and outbox.is_new:
        _salvage(outbox, [], hint)
    while asides:
        some = asides[:FILES_AT_ONCE]
        _salvage(outbox, some, hint)
        _put_away(some)
        asides = _asides(outbox)
    try:
        keep_hint(outbox)
    except OSError as error:
        log.error("notes beside the outbox can't be written", extra={"error": str(error)})


def _asides(outbox: Outbox) -> list[Path]:
    """The oldest first."""
    return sorted(outbox.path.parent.glob(f"{outbox.path.stem}-damaged-*{outbox.path.suffix}"), key=aside_number)


def _put_away(salvaged: list[Path]) -> None:
    """Keep the newest damaged file for those who want to look, and no more.

    The newest goes first: a crash in between leaves the older ones, which say as much by themselves as before.
    """
    kept = {file.name.replace("-damaged-", "-salvaged-") for file in files_of(salvaged[-1])}
    for aside in reversed(salvaged):
        for file in files_of(aside):
            with contextlib.suppress(FileNotFoundError):
                file.rename(file.with_name(file.name.replace("-damaged-", "-salvaged-")))
    for old in salvaged[-1].parent.glob("outbox-salvaged*"):
        if old.name not in kept:
            old.unlink()


def _read_hint(path: Path) -> list[tuple[str, str, int, int]]:
    try:
        return [(str(e), str(lane), int(last), int(made)) for e, lane, last, made in json.loads(path.read_text())]
    except (OSError, ValueError, TypeError):
        return []


def _salvage(outbox: Outbox, asides: list[Path], hint: list[tuple[str, str, int, int]]) -> None:
    lanes: dict[LaneName, dict[int, FrameHeader]] = {}
    ends: dict[LaneName, tuple[int, int]] = {(epoch, lane): (last, made) for epoch, lane, last, made in hint}
    count = 0
    for aside in asides:
        source = sqlite3.connect(aside)
        try:
            count += _bring_frames(source, outbox, lanes)
            _bring_knowledge(source, outbox)
            for epoch, lane, last, made in _readable(
                source, "SELECT e.epoch, l.lane, last_seq, produced FROM lanes l JOIN epochs e ON e.number = l.epoch"
            ):
                if _are((epoch, lane, last, made), (str, int, int, int)) and lane in range(len(LANES)):
                    key = (epoch, LANES[lane])
                    ends[key] = max(ends.get(key, (0, 0)), (last, made))
        finally:
            source.close()
    ended = {epoch for epoch, _ in {*lanes, *ends} if epoch != outbox.epoch}
    records: list[Record] = []
    for key in sorted({*lanes, *ends}):
        if key[0] in ended:
            records += _lost(key, lanes.get(key, {}), ends.get(key, (0, 0)), outbox.now_ms())
    for epoch in sorted(ended):
        outbox.epochs.say_begun(epoch, "file_damaged")
    for at in range(0, len(records), RECORDS_A_BATCH):
        outbox.commit(Batch(urgent=records[at : at + RECORDS_A_BATCH]))
    log.warning(
        "salvaged what could be read",
        extra={"frames": count, "ranges_lost": len(records), "files": [aside.name for aside in asides]},
    )
    outbox.checkpoint("salvaged")


def _bring_frames(source: sqlite3.Connection, outbox: Outbox, lanes: dict[LaneName, dict[int, FrameHeader]]) -> int:
    count = 0
    batch: list[tuple[FrameHeader, bytes]] = []
    for _, acked, payload in _rows(source, "frames", "acked, payload"):
        try:
            header = read_header(payload)
        except (FrameError, TypeError):
            continue  # its bytes were altered; its number is among the lost ones
        if header.gateway != outbox.gateway:
            continue
        lanes.setdefault((header.epoch, header.lane), {})[header.seq] = header
        if not acked:
            batch.append((header, payload))
            count += 1
        if len(batch) >= ROWS_A_COMMIT:
            outbox.epochs.bring_over(batch)
            outbox.checkpoint("in_salvage")
            batch = []
    outbox.epochs.bring_over(batch)
    outbox.checkpoint("in_salvage")
    return count


def _bring_knowledge(source: sqlite3.Connection, outbox: Outbox) -> None:
    for table, kinds in knowledge.TABLES.items():
        outbox.bring_rows(table, [row for row in _readable(source, f"SELECT * FROM {table}") if _are(row, kinds)])


def _lost(key: LaneName, found: dict[int, FrameHeader], end: tuple[int, int], at_ms: int) -> list[Record]:
    """The numbers of a lane that are not here. Those that the cloud has are among them; there they count nothing."""
    headers = [found[seq] for seq in sorted(found)]
    last_seq, produced = max([end, *((h.seq, h.samples_before + h.samples) for h in headers)])
    after = {0: 0, **{header.seq: header.samples_before + header.samples for header in headers}}
    before = {last_seq + 1: produced, **{header.seq: header.samples_before for header in headers}}
    return [
        Dropped(
            epoch=key[0], lane=cast(Lane, key[1]), first_seq=first, last_seq=last,
            samples=max(0, before[last + 1] - after[first - 1]), reason="file_damaged", at_ms=at_ms,
        )
        for first, last in without(1, last_seq, [(header.seq, header.seq) for header in headers])
    ]  # fmt: skip


# --- reading what can be read ---


def _are(row: tuple[Any, ...], kinds: tuple[type, ...]) -> bool:
    """Whether this is a row of such columns. A page that stands in another's place gives rows of another table."""
    return tuple([type(cell) for cell in row]) == kinds


def _readable(source: sqlite3.Connection, sql: str) -> Generator[tuple[Any, ...]]:
    """What a query of a small table gives, as far as it can be read. Pages that name one another give rows without end."""
    try:
        yield from islice(source.execute(sql), ROWS_MAX)
    except sqlite3.DatabaseError as error:
        log.warning("part of the damaged outbox can't be read", extra={"query": sql, "error": str(error)})


def _rows(source: sqlite3.Connection, table: str, columns: str) -> Generator[tuple[Any, ...]]:
    """Every row that can be read, in the order of rowids, around those that can't."""
    rowid, tries = -1, 0
    while tries < TRIES_MAX:
        try:
            row = _next(source, table, columns, rowid)
        except sqlite3.DatabaseError:
            rowid, used = _past_damage(source, table, columns, rowid)
            tries += used
            if rowid < 0:
                return
            continue
        if row is None:
            return
        rowid = row[0]
        yield row


def _next(source: sqlite3.Connection, table: str, columns: str, after: int) -> tuple[Any, ...] | None:
    """The next row; None behind the last. A page out of its place can answer with one that comes before: damage too."""
    row: tuple[Any, ...] | None = source.execute(
        f"SELECT rowid, {columns} FROM {table} NOT INDEXED WHERE rowid > ? ORDER BY rowid LIMIT 1", (after,)
    ).fetchone()
    if row is not None and row[0] <= after:
        raise sqlite3.DatabaseError(f"row {row[0]} stands behind row {after}")
    return row


def _past_damage(source: sqlite3.Connection, table: str, columns: str, bad: int) -> tuple[int, int]:
    """(The lowest rowid from which reading goes on, tries used); -1 when nothing further can be read."""
    tries, step = 0, 1
    good = None
    while step < 2**40:
        tries += 1
        try:
            if _next(source, table, columns, bad + step) is None:
                break  # nothing behind; something may still be between
            good = bad + step
            break
        except sqlite3.DatabaseError:
            bad, step = bad + step, step * 2
    if good is None:
        return -1, tries
    while good - bad > 1:
        tries += 1
        middle = (good + bad) // 2
        try:
            _next(source, table, columns, middle)
            good = middle
        except sqlite3.DatabaseError:
            bad = middle
    return good, tries
