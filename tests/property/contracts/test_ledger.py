"""The ledger's arithmetic, against a lane whose every frame is known."""

from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_api.framelog.coverage import Coverage
from contracts.ledger import Drop, Held, lane_ledger
from contracts.messages import LaneState

STATES = ("stored", "buffered", "dropped")


@st.composite
def lanes(draw: st.DrawFn) -> list[tuple[int, str]]:
    """Frames in order: samples, and where each is. What is buffered is never older than what the cloud acked before."""
    return draw(st.lists(st.tuples(st.integers(0, 50), st.sampled_from(STATES)), max_size=40))


def parts_of(frames: list[tuple[int, str]]) -> tuple[list[Held], list[Drop], int]:
    held: list[Held] = []
    drops = []
    before = 0
    for seq, (samples, state) in enumerate(frames, 1):
        if state == "stored":
            if held and held[-1].last_seq == seq - 1:
                held[-1] = held[-1]._replace(last_seq=seq, samples=held[-1].samples + samples)
            else:
                held.append(Held(seq, seq, samples, before))
        elif state == "dropped":
            drops.append(Drop(seq, seq, samples, "size_cap"))
        before += samples
    return held, drops, before


@given(lanes())
@settings(max_examples=500, deadline=None)
def test_produced_is_stored_and_declared_and_buffered(frames: list[tuple[int, str]]) -> None:
    held, drops, produced = parts_of(frames)
    buffered = [seq for seq, (_, state) in enumerate(frames, 1) if state == "buffered"]
    reported = LaneState(
        epoch="e", lane="bulk", last_seq=len(frames), produced=produced,
        oldest_unacked_seq=buffered[0] if buffered else len(frames) + 1, buffered=0, dropped=0,
    )  # fmt: skip
    ledger = lane_ledger(held, drops, reported)
    sums = {state: sum(samples for samples, where in frames if where == state) for state in STATES}
    assert ledger.produced == produced
    assert ledger.stored == sums["stored"]
    assert ledger.declared_dropped == sums["dropped"]
    assert ledger.buffered == sums["buffered"]
    assert ledger.unexplained == 0


@given(lanes())
@settings(max_examples=500, deadline=None)
def test_what_nobody_holds_is_unexplained(frames: list[tuple[int, str]]) -> None:
    """The gateway says that everything is acked: what is not stored and not declared is missing, to the sample."""
    held, drops, produced = parts_of(frames)
    reported = LaneState(
        epoch="e", lane="bulk", last_seq=len(frames), produced=produced, oldest_unacked_seq=len(frames) + 1, buffered=0,
        dropped=0,
    )  # fmt: skip
    ledger = lane_ledger(held, drops, reported)
    assert ledger.unexplained == sum(samples for samples, state in frames if state == "buffered")
    assert ledger.produced == ledger.stored + ledger.declared_dropped + ledger.buffered + ledger.unexplained


def test_a_drop_that_is_counted_but_not_yet_named_is_declared_and_hides_no_more_than_that() -> None:
    held = [Held(1, 2, 20, 0), Held(6, 6, 10, 50)]
    reported = LaneState(
        epoch="e", lane="bulk", last_seq=6, produced=60, oldest_unacked_seq=7, buffered=0, dropped=25
    )  # fmt: skip
    ledger = lane_ledger(held, [], reported)
    assert (ledger.declared_dropped, ledger.unexplained) == (25, 5)
    named = lane_ledger(held, [Drop(3, 4, 25, "size_cap")], reported)
    assert (named.declared_dropped, named.unexplained) == (25, 5)
    asked = lane_ledger(held, [Drop(3, 3, 0, "not_kept")], reported)
    assert asked.unexplained == 5


def test_a_drop_of_which_the_cloud_holds_a_part_accounts_for_the_rest_while_the_next_is_on_its_way() -> None:
    held = [Held(1, 4, 40, 0)]
    reported = LaneState(
        epoch="e", lane="bulk", last_seq=9, produced=90, oldest_unacked_seq=10, buffered=0, dropped=70
    )  # fmt: skip
    ledger = lane_ledger(held, [Drop(3, 6, 40, "age_cap")], reported)
    assert (ledger.declared_dropped, ledger.unexplained) == (50, 0)


def test_a_drop_that_is_named_before_the_gateway_counts_it_hides_none_that_it_has_counted() -> None:
    """Its word is of a time when 5 and 6 waited. Their drop is named already, that of 3 is still on its way (seed 424)."""
    held = [Held(1, 2, 20, 0), Held(4, 4, 10, 30)]
    reported = LaneState(
        epoch="e", lane="bulk", last_seq=6, produced=60, oldest_unacked_seq=5, buffered=20, dropped=10
    )  # fmt: skip
    ledger = lane_ledger(held, [Drop(5, 6, 20, "age_cap")], reported)
    assert (ledger.declared_dropped, ledger.buffered, ledger.unexplained) == (30, 0, 0)


@given(st.permutations(list(range(1, 30))), st.lists(st.integers(1, 29)))
@settings(max_examples=300, deadline=None)
def test_coverage_is_the_same_in_any_order(order: list[int], repeats: list[int]) -> None:
    coverage = Coverage()
    seen: set[int] = set()
    for seq in [*order[:20], *repeats, *order[20:]]:
        changed = coverage.add(seq, seq, seq * (seq - 1) // 2)
        assert (changed is None) == (seq in seen)
        seen.add(seq)
        assert {n for held in coverage.ranges for n in range(held.first_seq, held.last_seq + 1)} == seen
        assert all(a.last_seq + 1 < b.first_seq for a, b in zip(coverage.ranges, coverage.ranges[1:], strict=False))
        assert sum(held.samples for held in coverage.ranges) == sum(seen)
    assert all(n in coverage for n in seen)
    assert all(held.samples_before == held.first_seq * (held.first_seq - 1) // 2 for held in coverage.ranges)


def test_a_file_that_was_lost_with_everything_counts_what_had_come_before_once() -> None:
    """Frames 1..27 are in the cloud; the gateway's file, and all word of 1..85 but their sum, is gone."""
    ledger = lane_ledger([Held(1, 27, 378, 0)], [Drop(1, 85, 1210, "file_damaged")], None)
    assert (ledger.produced, ledger.stored, ledger.declared_dropped, ledger.unexplained) == (1210, 378, 832, 0)


def test_what_a_copied_outbox_holds_beside_the_clouds_frames_is_buffered() -> None:
    """The cloud holds other frames under the same numbers; ours wait to be framed again."""
    reported = LaneState(
        epoch="e", lane="bulk", last_seq=2, produced=500, oldest_unacked_seq=2, buffered=300, dropped=0
    )
    ledger = lane_ledger([Held(1, 2, 200, 0)], [], reported)
    assert (ledger.produced, ledger.stored, ledger.buffered, ledger.unexplained) == (500, 200, 300, 0)
