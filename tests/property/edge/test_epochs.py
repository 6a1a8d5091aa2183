"""Ended epochs, frames asked for again, healed clocks, room: what the outbox does beside its daily work."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_api.framelog.coverage import Coverage, Range, StreamKey
from cloud_api.ingest.welcome import held_lane
from contracts.frame import decode_frame
from contracts.ledger import Drop
from contracts.messages import ClockHealed, Dropped, HeldLane
from contracts.reading import Clock, Reading, Sample
from edge_agent.outbox import Batch, Outbox
from edge_agent.outbox.room import Disk, Limits, ranges_of, too_much, without
from edge_agent.uplink.judgement import is_copied, questioned
from tests.property.edge.test_outbox import reading

NOW_MS = 1_790_000_000_000


def opened(path: Path, **limits: int) -> Outbox:
    return Outbox(path / "outbox.sqlite", "gw-1", limits.pop("bytes_max", 1 << 30), lambda: NOW_MS, **limits)


def fill(outbox: Outbox, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        outbox.commit(Batch(readings=[reading(number)], messages=1))


def values(payload: bytes | None) -> list[object]:
    assert payload is not None
    return [sample.value for each in decode_frame(payload).readings for sample in each.samples]


def test_an_ended_epoch_goes_on_and_what_is_past_the_clouds_count_is_framed_again(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    fill(outbox, 10)
    outbox.acked("bulk", [(1, 3)])
    ended = outbox.epoch
    outbox.epochs.begin("copied", {"bulk": 7, "urgent": 0})
    frames = outbox.epochs.earlier(100)
    assert [(frame.seq, frame.again, frame.doubt) for frame in frames] == [
        *((seq, False, True) for seq in range(4, 8)), *((seq, True, True) for seq in range(8, 11)),
    ]  # fmt: skip
    for frame in frames:
        if frame.again:
            (made,) = outbox.epochs.frame_again(frame)
            assert made.epoch == outbox.epoch != ended
            assert values(made.payload) == [frame.seq - 1]
            assert outbox.epochs.frame_again(frame) == [], "a second answer moves nothing"
    assert [(lane.epoch, lane.buffered, lane.oldest_unacked_seq) for lane in outbox.ended] == [(ended, 4, 4)]
    outbox.acked("bulk", [(4, 7)], ended)
    assert outbox.epochs.earlier(100) == []
    assert outbox.lanes["bulk"].buffered == 3
    outbox.close()
    again = opened(tmp_path)
    assert again.epoch != ended
    assert again.unacked("bulk") == [(1, 3)]


def test_what_the_cloud_lacks_goes_again_and_what_is_gone_is_declared(tmp_path: Path) -> None:
    outbox = opened(tmp_path, bytes_max=60_000)
    fill(outbox, 200)
    outbox.acked("bulk", [(1, 200)])
    kept = [seq for seq in range(1, 201) if outbox.read("bulk", seq)]
    assert kept and kept[0] > 10, "a quarter of the cap is kept"
    outbox.wanted(outbox.epoch, "bulk", [(1, 5), (kept[0] - 1, 200)])
    assert outbox.unacked("bulk") == [(kept[0], 200)]
    assert outbox.lanes["bulk"].buffered == len(kept)
    declared = [
        (record.first_seq, record.last_seq, record.reason)
        for seq in range(1, outbox.lanes["urgent"].last_seq + 1)
        for record in decode_frame(outbox.read("urgent", seq) or b"").records
        if isinstance(record, Dropped)
    ]
    assert declared == [(1, 5, "not_kept"), (kept[0] - 1, kept[0] - 1, "not_kept")]


def test_what_a_restored_cloud_lacks_of_an_ended_epoch_goes_again_too(tmp_path: Path) -> None:
    before = opened(tmp_path)
    fill(before, 10)
    payloads = [before.read("bulk", seq) or b"" for seq in range(1, 11)]
    before.close()
    (tmp_path / "new").mkdir()
    outbox = opened(tmp_path / "new")  # the file was damaged; frames 4..10 could be salvaged
    outbox.epochs.bring_over([(decode_frame(payload).header, payload) for payload in payloads[3:]])
    ended = decode_frame(payloads[0]).header.epoch
    outbox.acked("bulk", [(4, 10)], ended)
    assert outbox.epochs.earlier(100) == []
    (state,) = outbox.ended
    assert (state.epoch, state.oldest_unacked_seq, state.buffered) == (ended, 11, 0), (
        "the cloud is told that it is kept"
    )

    # The cloud was restored: it holds 1..5, and asks for what is not there.
    coverage = Coverage([Range(1, 5, 5, 0)])
    held = held_lane(StreamKey("gw-1", ended, "bulk"), coverage, [], state.oldest_unacked_seq)
    assert held.wanted == [(6, 10)]
    outbox.wanted(ended, "bulk", [(2, 3), *held.wanted])
    assert [frame.payload for frame in outbox.epochs.earlier(100)] == payloads[5:]
    declared = [
        (record.epoch, record.first_seq, record.last_seq, record.reason)
        for seq in range(1, outbox.lanes["urgent"].last_seq + 1)
        for record in decode_frame(outbox.read("urgent", seq) or b"").records
        if isinstance(record, Dropped)
    ]
    assert declared == [(ended, 2, 3, "not_kept")], "what is not kept any more"
    assert outbox.unacked_bytes >= sum(map(len, payloads[5:]))


@pytest.mark.parametrize("clock", [Clock.GATEWAY, Clock.DEVICE])
def test_times_taken_by_a_wrong_clock_are_moved_and_the_original_can_be_told(tmp_path: Path, clock: Clock) -> None:
    outbox = opened(tmp_path)
    fill(outbox, 1)
    outbox.unsure_run = 5
    wrong_ms = 1_767_225_600_000
    outbox.commit(
        Batch(readings=[Reading("d", wrong_ms - 3, wrong_ms, clock, (Sample("temperature", 1.5),))], messages=1)
    )
    assert outbox.unsure_times.heal(1_000_000, 12) == 1
    frame = decode_frame(outbox.read("bulk", 2) or b"")
    (word,) = frame.records
    assert word == ClockHealed(shift_ms=1_000_000, error_ms=12, at_ms=NOW_MS)
    (healed,) = frame.readings
    assert healed.received_ms == wrong_ms + 1_000_000
    assert healed.observed_ms == wrong_ms - 3 + (1_000_000 if clock is Clock.GATEWAY else 0)
    assert values(outbox.read("bulk", 1)) == [0]
    assert outbox.unsure_times.heal(5, 1) == 0, "once is enough"


def test_too_old_is_dropped_and_declared(tmp_path: Path) -> None:
    now_ms = NOW_MS
    outbox = Outbox(tmp_path / "outbox.sqlite", "gw-1", 1 << 30, lambda: now_ms, age_ms_max=60_000)
    fill(outbox, 5)
    outbox.commit(Batch(urgent_readings=[reading(9)], messages=1))
    now_ms += 61_000
    fill(outbox, 1, 5)
    assert outbox.unacked("bulk") == [(6, 6)]
    reasons = [
        (record.lane, record.first_seq, record.last_seq, record.samples, record.reason)
        for seq in range(2, outbox.lanes["urgent"].last_seq + 1)
        for record in decode_frame(outbox.read("urgent", seq) or b"").records
        if isinstance(record, Dropped)
    ]
    assert reasons == [("bulk", 1, 5, 5, "age_cap"), ("urgent", 1, 1, 1, "age_cap")]


def test_urgent_goes_last(tmp_path: Path) -> None:
    outbox = opened(tmp_path, bytes_max=12_000)
    outbox.commit(Batch(urgent_readings=[reading(n) for n in range(50)], messages=50))
    fill(outbox, 200)
    assert outbox.lanes["bulk"].dropped > 0
    assert outbox.lanes["urgent"].dropped == 0
    assert outbox.read("urgent", 1) is not None


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 10**12))
def test_room(held: int, cap: int, free: int, floor: int) -> None:
    disk = Disk(max(free, 10**9), free)
    reason = too_much(Limits(cap, 0, floor), held, disk)
    assert (reason == "size_cap") == (held > cap)
    assert (reason == "disk_floor") == (held <= cap and floor > 0 and free < min(floor, disk.size_bytes // 16))


@given(st.sets(st.integers(1, 40)), st.integers(1, 40), st.integers(1, 40))
def test_without_is_the_complement(held: set[int], first: int, last: int) -> None:
    left = {seq for low, high in without(first, last, ranges_of(sorted(held))) for seq in range(low, high + 1)}
    assert left == set(range(first, last + 1)) - held


@given(st.sets(st.integers(1, 40)), st.sets(st.integers(1, 40)), st.integers(1, 41))
def test_the_cloud_wants_what_it_neither_has_nor_knows_as_dropped(
    held: set[int], dropped: set[int], oldest: int
) -> None:
    coverage = Coverage(Range(first, last, 0, 0) for first, last in ranges_of(sorted(held)))
    drops = [Drop(first, last, 0, "size_cap") for first, last in ranges_of(sorted(dropped - held))]
    answer = held_lane(StreamKey("gw-1", "e", "bulk"), coverage, drops, oldest)
    wanted = {seq for low, high in answer.wanted for seq in range(low, high + 1)}
    assert wanted == set(range(1, oldest)) - held - dropped
    assert answer.last_seq == max(held, default=0)


def test_a_copy_is_recognised_by_numbers_and_by_bytes(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    fill(outbox, 5)
    outbox.acked("bulk", [(1, 2)])
    lanes = outbox.lanes

    def held(last_seq: int, digest: bytes = b"") -> dict[str, HeldLane]:
        return {"bulk": HeldLane(epoch=outbox.epoch, lane="bulk", last_seq=last_seq, last_digest=digest)}

    def frames(of: dict[str, HeldLane]) -> dict[tuple[str, int], bytes | None]:
        return {place: outbox.read(*place) for place in questioned(of, lanes)}

    for there, copied in (
        (held(5), False), (held(6), True), (held(2, b"x" * 16), False), (held(4, b"x" * 16), True), ({}, False),
    ):  # fmt: skip
        assert is_copied(there, lanes, frames(there)) == copied
