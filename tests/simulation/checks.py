"""What must hold: in between, and when everything has got where it belongs."""

import contextlib
from collections import Counter
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from cloud_api.ledger.book import GatewayLedger, LaneEntry
from contracts.frame import FrameError, decode_frame, read_header
from contracts.ledger import Drop
from contracts.reading import Reading

if TYPE_CHECKING:
    from tests.simulation.edge import Framed
    from tests.simulation.scenario import Scenario

CLOCK_OFF_MS = 4_000  # messages wait for their commit, also while the disk fails
Key = tuple[str, str, int]  # epoch, lane, seq


class Checks:
    """Holds a run against what was promised. Everything raises AssertionError or ends up in ``world.errors``."""

    def __init__(self, scenario: "Scenario") -> None:
        self._all = scenario
        self._may_miss: set[int] = set()
        self._may_double: set[int] = set()
        self._same_off = 0
        """So many messages of the device that says the same may be missing or double."""
        self._healed = 0

    def excuse(self, lost_frames: Collection[bytes], flying: dict[int, str]) -> None:
        """A disk was lost with these frames; what the local broker has ``flying`` may be stored again, or forgotten."""
        # What was given up may have been declared on that disk only.
        lost_frames = _sound([*lost_frames, *self._all.edge.witness.gone])
        self._may_miss |= set(_marks(lost_frames)) | set(flying)
        self._may_double |= set(flying)
        self._same_off += _same(lost_frames) + sum(device.endswith("/same") for device in flying.values())

    def errors(self) -> None:
        """Nothing broke so far."""
        assert not self._all.world.errors, self._all.world.errors

    def on_the_way(self, ledger: GatewayLedger) -> None:
        """In the middle of everything no sample is unexplained."""
        for entry in ledger.lanes:
            if entry.ledger.unexplained:
                self._all.world.errors.append(f"unexplained on the way: {entry}")

    def counts(self) -> Counter[str]:
        """What happened beside the faults."""
        return Counter({
            "delivered again by the local broker": self._all.local.repeats,
            "frames that came twice": self._all.cloud.duplicates + self._all.cloud.ingest.counts.duplicates,
            "ledgers checked": self._all.cloud.ledgers,
            "frames whose times were healed": self._healed,
        })  # fmt: skip

    def at_the_end(self, ledger: GatewayLedger) -> None:
        """Every promise."""
        stored = self._all.cloud.frames()
        keys = {_key(payload) for payload in stored}
        assert len(keys) == len(stored), "a frame is stored twice"
        self._check_ledger(ledger)
        self._check_messages(stored, ledger)
        self._check_times(stored)
        self._check_live(stored)

    def _check_ledger(self, ledger: GatewayLedger) -> None:
        entries = {(entry.epoch, entry.lane): entry for entry in ledger.lanes}
        for entry in ledger.lanes:
            lane = entry.ledger
            assert lane.unexplained == 0, f"unexplained: {entry}"
            assert lane.produced == lane.stored + lane.declared_dropped + lane.buffered, f"not balanced: {entry}"
        for state in self._all.edge.agent.outbox.lanes.values():
            found = entries.get((state.epoch, state.lane))
            if found is None:
                assert not state.last_seq, f"the cloud knows nothing of {state}"
                continue
            assert found.ledger.buffered == 0, f"buffered: {found}"
            assert found.ledger.produced == state.produced, f"{found}, but the gateway has {state}"

    def _check_messages(self, stored: list[bytes], ledger: GatewayLedger) -> None:
        """What the agent acknowledged is stored once, or in a declared drop."""
        sent, local = self._all.sent, self._all.local
        gone = set(_sound(self._all.edge.witness.gone)) - set(stored)
        given_up = [payload for payload in gone if _is_declared(_key(payload), ledger.lanes)]
        there, dropped = Counter(_marks(stored)), set(_marks(given_up))
        for mark, times in there.items():
            assert mark in sent or mark in self._all.twin_sent, f"message {mark} was never sent"
            assert times == 1 or mark in self._may_double, f"message {mark} is stored {times} times"
        excused = dropped | local.lost | self._may_miss
        for mark, device in sent.items():
            assert device == "same" or mark in there or mark in excused, f"message {mark} is lost"
        same = {mark for mark, device in sent.items() if device == "same"}
        least, most = len(same - local.lost) - self._same_off, len(same) + self._same_off
        found, dropped_too = _same(stored), _same(given_up)
        assert found <= most, f"{found} of a device that said the same {most} times"
        assert found + dropped_too >= least, (
            f"{found} and {dropped_too} dropped of a device that said the same {least} times"
        )

    def _check_times(self, stored: list[bytes]) -> None:
        """Arrival times are true where the clock was known before the frame was sent."""
        witness = self._all.edge.witness
        taken: dict[int, list[Framed]] = {}  # a message may be framed more than once before a commit holds
        for each in witness.framed:
            for mark in _marks([each.payload]):
                taken.setdefault(mark, []).append(each)
        healed = {_key(payload) for payload in witness.healed}
        sent_unsure = {_key(payload) for payload in witness.sent_unsure}
        for payload in stored:
            self._healed += _key(payload) in healed
            for reading in _readings(payload):
                for mark in _marks_of(reading):
                    if mark not in taken:
                        continue  # the twin's
                    off_ms = min((reading.received_ms - true.at_ms for true in taken[mark]), key=abs)
                    known = all(
                        not true.unsure
                        or (true.boot not in witness.unsure_boots and _key(true.payload) not in sent_unsure)
                        for true in taken[mark]
                    )
                    assert not known or abs(off_ms) <= CLOCK_OFF_MS, f"message {mark} is {off_ms} ms off"

    def _check_live(self, stored: list[bytes]) -> None:
        """The live state is the newest of what is stored."""
        newest_ms: dict[tuple[str, str], int] = {}
        for payload in stored:
            for reading in _readings(payload):
                for sample in reading.samples:
                    key = reading.device, sample.metric
                    newest_ms[key] = max(newest_ms.get(key, 0), reading.observed_ms)
        for (device, metric), observed_ms in newest_ms.items():
            shown = self._all.cloud.live.latest(read_header(stored[0]).gateway, device, metric)
            assert shown is not None and shown.observed_ms == observed_ms, f"live shows {shown}, not of {observed_ms}"


@lru_cache(maxsize=50_000)
def _readings(payload: bytes) -> tuple[Reading, ...]:
    return decode_frame(payload).readings


@lru_cache(maxsize=50_000)
def _key(payload: bytes) -> Key:
    header = read_header(payload)
    return header.epoch, header.lane, header.seq


def _is_declared(key: Key, lanes: Iterable[LaneEntry]) -> bool:
    def within(drop: Drop) -> bool:
        return drop.first_seq <= key[2] <= drop.last_seq

    return any((lane.epoch, lane.lane) == key[:2] and any(map(within, lane.drops)) for lane in lanes)


def _sound(frames: Iterable[bytes]) -> list[bytes]:
    """Without those whose bytes were altered on a damaged disk."""
    sound = []
    for payload in frames:
        with contextlib.suppress(FrameError):
            _key(payload)
            sound.append(payload)
    return sound


def _marks(frames: Iterable[bytes]) -> list[int]:
    """The message that each counted reading came from."""
    return [mark for payload in frames for reading in _readings(payload) for mark in _marks_of(reading)]


def _marks_of(reading: Reading) -> list[int]:
    return [int(sample.value) for sample in reading.samples if sample.metric == "message_count"]  # type: ignore[arg-type]


def _same(frames: Iterable[bytes]) -> int:
    return sum(reading.device == "same" for payload in frames for reading in _readings(payload))
