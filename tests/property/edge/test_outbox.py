"""The outbox file: what is committed is there after a crash, deliveries are recognised, drops are declared."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.frame import decode_frame
from contracts.messages import Dropped, Reported
from contracts.reading import Clock, Reading, Sample
from edge_agent.outbox import Batch, CommandEntry, Outbox
from edge_agent.outbox.batch import Delivery


def open_outbox(path: Path, bytes_max: int = 1 << 30) -> Outbox:
    return Outbox(path / "outbox.sqlite", "gw-1", bytes_max, lambda: 1_790_000_000_000)


def reading(number: int) -> Reading:
    at_ms = 1_790_000_000_000 + number
    return Reading(f"d{number % 3}", at_ms, at_ms, Clock.GATEWAY, (Sample("message_count", number),))


@given(batches=st.lists(st.lists(st.integers(0, 10_000), max_size=5), min_size=1, max_size=8), data=st.data())
@settings(max_examples=25, deadline=None)
def test_everything_committed_survives(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[int]], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("outbox")
    outbox = open_outbox(path)
    epoch = outbox.epoch
    expected: list[int] = []
    for numbers in batches:
        outbox.commit(Batch(readings=[reading(number) for number in numbers], messages=len(numbers)))
        expected += numbers
        if data.draw(st.booleans()):
            outbox.close()
            outbox = open_outbox(path)
    assert outbox.epoch == epoch
    lane = outbox.lanes["bulk"]
    assert lane.produced == lane.buffered == len(expected)
    stored, before = [], 0
    for seq in range(1, lane.last_seq + 1):
        payload = outbox.read("bulk", seq)
        assert payload is not None
        frame = decode_frame(payload)
        assert (frame.header.seq, frame.header.samples_before) == (seq, before)
        before += frame.header.samples
        stored += [sample.value for each in frame.readings for sample in each.samples]
    assert stored == expected
    outbox.close()


def test_deliveries_are_known_after_a_restart_and_forgotten_with_the_session(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    deliveries = [Delivery(number, bytes([number]) * 8) for number in range(1, 200)]
    outbox.commit(Batch(readings=[reading(1)], deliveries=deliveries, messages=199))
    outbox.close()
    outbox = open_outbox(tmp_path)
    assert outbox.recent == dict(deliveries)
    outbox.commit(Batch(session_new=True))
    assert outbox.recent == {}
    outbox.close()
    assert open_outbox(tmp_path).recent == {}


def test_the_ring_of_deliveries_is_bounded_and_keeps_the_newest(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    for commit in range(40):
        deliveries = [Delivery(number % 65_535 + 1, number.to_bytes(8, "big")) for number in
                      range(commit * 500, commit * 500 + 500)]  # fmt: skip
        outbox.commit(Batch(readings=[reading(commit)], deliveries=deliveries, messages=500))
    assert 8_192 <= len(outbox.recent) <= 8_192 + 500
    assert outbox.recent[20_000] == (19_999).to_bytes(8, "big")
    recent = dict(outbox.recent)
    outbox.close()
    assert open_outbox(tmp_path).recent == recent


def test_acked_frames_are_kept_while_there_is_room_then_deleted(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path, bytes_max=20_000)
    for number in range(60):
        outbox.commit(Batch(readings=[reading(number)], messages=1))
        outbox.acked("bulk", [(1, number + 1)])
    lane = outbox.lanes["bulk"]
    assert (lane.buffered, lane.dropped, lane.oldest_unacked_seq) == (0, 0, 61)
    assert 0 < outbox.held_bytes <= 20_000
    assert outbox.read("bulk", 60) is not None, "the newest acked frame is still there"
    assert outbox.unacked("bulk") == []


def test_past_the_cap_the_oldest_are_dropped_and_it_is_declared(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path, bytes_max=20_000)
    for number in range(400):
        outbox.commit(Batch(readings=[reading(number)], messages=1))
    lane = outbox.lanes["bulk"]
    assert lane.dropped > 0
    assert lane.produced == 400 == lane.buffered + lane.dropped
    declared = 0
    for seq in range(1, outbox.lanes["urgent"].last_seq + 1):
        payload = outbox.read("urgent", seq)
        assert payload is not None, "urgent frames go last"
        declared += sum(record.samples for record in decode_frame(payload).records if isinstance(record, Dropped))
    assert declared == lane.dropped
    assert [frame.seq for frame in outbox.take_beside()] == list(range(1, outbox.lanes["urgent"].last_seq + 1))
    assert outbox.take_beside() == [], "each declaration is told to the uplink once"
    held = outbox.unacked("bulk")
    assert held[0][0] == lane.oldest_unacked_seq
    assert outbox.held_bytes <= 21_000
    outbox.close()
    again = open_outbox(tmp_path, bytes_max=20_000)
    assert (again.lanes["bulk"].buffered, again.lanes["bulk"].dropped) == (lane.buffered, lane.dropped)


@pytest.mark.parametrize("limits", [{"bytes_max": 20_000}, {"bytes_max": 1 << 30, "age_ms_max": 50_000}])
def test_what_declares_a_drop_is_not_lost_with_the_frames_that_are_dropped_later(
    tmp_path: Path, limits: dict[str, int]
) -> None:
    now_ms = [1_790_000_000_000]
    outbox = Outbox(tmp_path / "outbox.sqlite", "gw-1", now_ms=lambda: now_ms[0], **limits)
    for number in range(600):
        now_ms[0] += 1_000
        outbox.commit(Batch(readings=[reading(number)], urgent_readings=[reading(number)], messages=2))
    assert outbox.held_bytes <= 21_000 or limits["bytes_max"] > 20_000
    for lane in outbox.lanes.values():
        assert lane.dropped and lane.produced == 600 == lane.buffered + lane.dropped
    held = [outbox.read("urgent", seq) for seq in range(1, outbox.lanes["urgent"].last_seq + 1)]
    declared = {
        (record.lane, seq)
        for payload in held
        if payload is not None
        for record in decode_frame(payload).records
        if isinstance(record, Dropped)
        for seq in range(record.first_seq, record.last_seq + 1)
    }
    for name, lane in outbox.lanes.items():
        gone = {seq for seq in range(1, lane.last_seq + 1) if outbox.read(name, seq) is None}
        assert gone == {seq for where, seq in declared if where == name}


def test_a_failed_commit_leaves_nothing_behind(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    outbox.commit(Batch(readings=[reading(1)], messages=1))
    blocker = sqlite3.connect(tmp_path / "outbox.sqlite")
    blocker.execute("CREATE TRIGGER no_room BEFORE INSERT ON frames BEGIN SELECT raise(ABORT, 'no room'); END")
    blocker.commit()
    batch = Batch(readings=[reading(2)], deliveries=[Delivery(9, b"12345678")], messages=1)
    with pytest.raises(sqlite3.Error):
        outbox.commit(batch)
    assert outbox.lanes["bulk"].last_seq == 1
    assert 9 not in outbox.recent
    blocker.execute("DROP TRIGGER no_room")
    blocker.commit()
    (frame,) = outbox.commit(batch)
    assert frame.seq == 2
    assert outbox.recent[9] == b"12345678"


def test_a_batch_that_is_too_much_for_one_frame_becomes_more(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    frames = outbox.commit(Batch(readings=[reading(number) for number in range(2_500)], messages=2_500))
    assert len(frames) > 1
    assert sum(frame.samples for frame in frames) == 2_500
    assert [frame.seq for frame in frames] == list(range(1, len(frames) + 1))


def test_commands_and_records_are_remembered(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    entry = CommandEntry("c1", "executing", "", 5)
    outbox.commit(Batch(commands=[entry], urgent=[Reported(version=3, applied=True, at_ms=1)]))
    outbox.close()
    outbox = open_outbox(tmp_path)
    assert outbox.command("c1") == entry
    assert outbox.commands_in("executing") == [entry]
    assert outbox.command("c2") is None
