"""The send window as a state machine: nothing is forgotten, nothing flies twice, fresh goes first, backlog always drains."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge_agent.uplink.acks import merged
from edge_agent.uplink.pace import OVERTAKEN_MS_MIN
from edge_agent.uplink.window import FrameKey, SendWindow

FRAMES_MAX = 4


class WindowMachine(RuleBasedStateMachine):
    """A model of outbox and cloud around the window."""

    def __init__(self) -> None:
        super().__init__()
        self.window = SendWindow(FRAMES_MAX, resend_after_ms=1_000, fresh_max=3)
        self.now_ms = 0
        self.last = {"urgent": 0, "bulk": 0}
        self.acked: set[FrameKey] = set()
        self.flying: dict[FrameKey, int] = {}
        self.up = False

    def unacked(self, lane: str) -> list[int]:
        return [seq for seq in range(1, self.last[lane] + 1) if FrameKey(lane, seq) not in self.acked]

    @rule(lane=st.sampled_from(["urgent", "bulk"]))
    def commit(self, lane: str) -> None:
        self.last[lane] += 1
        self.window.committed(FrameKey(lane, self.last[lane]))

    @rule()
    def link_up(self) -> None:
        self.up = True
        self.flying.clear()
        self.window.link_up()
        for lane in self.last:
            self.window.backlog(lane, [(seq, seq) for seq in self.unacked(lane)])

    @rule()
    def link_lost(self) -> None:
        self.up = False
        self.flying.clear()
        self.window.link_lost()

    @rule()
    def send(self) -> None:
        key = self.window.next(self.now_ms)
        if key is not None:
            assert self.up
            assert key not in self.flying, "sent twice"
            self.flying[key] = self.now_ms

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def ack(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.flying)))
        self.acked.add(key)
        seqs = sorted(each.seq for each in self.acked if each.lane == key.lane)
        newest_ms = max(at for each, at in self.flying.items() if each in self.acked)
        for _ in range(data.draw(st.integers(1, 2))):  # acks may be doubled
            for lost in self.window.acked(key.lane, [(seq, seq) for seq in seqs], self.now_ms).lost:
                assert lost.lane == key.lane
                assert self.flying.pop(lost) + OVERTAKEN_MS_MIN < newest_ms, "it may still be on its way"
        self.flying = {each: at for each, at in self.flying.items() if each not in self.acked}

    @rule(by_ms=st.integers(1, 1_500))
    def time_passes(self, by_ms: int) -> None:
        self.now_ms += by_ms
        after_ms = self.window.resend_after_ms
        assert after_ms >= 1_000
        late = set(self.window.overdue(self.now_ms))
        assert late == {key for key, at in self.flying.items() if self.now_ms - at >= after_ms}
        for key in late:
            del self.flying[key]

    @invariant()
    def bounded(self) -> None:
        assert self.window.in_flight == len(self.flying) <= FRAMES_MAX

    def teardown(self) -> None:
        """From any state: once the link is up, everything unacknowledged is sent, each once."""
        self.link_up()
        wanted = {FrameKey(lane, seq) for lane in self.last for seq in self.unacked(lane)}
        sent: set[FrameKey] = set()
        while (key := self.window.next(self.now_ms)) is not None:
            assert key not in sent
            sent.add(key)
            self.window.acked(key.lane, [(key.seq, key.seq)], self.now_ms)
        assert sent == wanted


TestWindow = WindowMachine.TestCase
TestWindow.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


def test_fresh_goes_before_backlog_and_backlog_has_its_share() -> None:
    window = SendWindow(100, 1_000, backlog_share=4)
    window.link_up()
    window.backlog("bulk", [(1, 50)])
    for seq in range(51, 71):
        window.committed(FrameKey("bulk", seq))
    first = []
    for _ in range(12):
        key = window.next(0)
        assert key is not None
        first.append(key)
        window.acked("bulk", [(key.seq, key.seq)], 1)
    from_backlog = [key.seq for key in first if key.seq <= 50]
    assert from_backlog == [1, 2, 3], "every fourth place is the backlog's"


def test_urgent_goes_before_bulk() -> None:
    window = SendWindow(10, 1_000)
    window.link_up()
    window.committed(FrameKey("bulk", 1))
    window.committed(FrameKey("urgent", 1))
    assert window.next(0) == FrameKey("urgent", 1)


def test_what_was_overtaken_by_a_round_trip_is_sent_again_at_once() -> None:
    window = SendWindow(10, 10_000)
    window.link_up()
    window.backlog("bulk", [(1, 3)])
    first = window.next(0)
    assert window.next(10) == FrameKey("bulk", 2)
    assert window.next(300) == FrameKey("bulk", 3)
    assert window.acked("bulk", [(2, 2)], 60).lost == []
    assert window.acked("bulk", [(2, 3)], 350).lost == [first]
    assert window.next(351) == first


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 9)), max_size=12))
def test_merged_ranges_hold_the_same_seqs_and_neither_overlap_nor_touch(spans: list[tuple[int, int]]) -> None:
    ranges = [(first, first + more) for first, more in spans]
    whole = merged(ranges)
    assert {seq for low, high in whole for seq in range(low, high + 1)} == {
        seq for low, high in ranges for seq in range(low, high + 1)
    }
    assert all(later > last + 1 for (_, last), (later, _) in pairwise(whole))
