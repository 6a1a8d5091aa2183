"""The gateway's clock: steady, started from the machine's clock if that is possible, corrected by the cloud's word.

Pure: the caller passes in what the machine's clocks say. A machine without a battery starts in 1970; people and time
services set clocks back and forth. Linli's time therefore runs on the steady clock of the boot (it counts also while the
machine sleeps, nobody sets it), and only its offset to UTC is learnt.
"""

from typing import NamedTuple

import msgspec

from contracts.reading import Clock, Reading

FLOOR_MS = 1_767_225_600_000
"""2026-01-01: a clock that says less is wrong."""
UNSURE_MS = 1_000
"""A shift of less than this is not worth moving times that were already taken."""


class Kept(msgspec.Struct):
    """What is remembered on disk. boot: the machine's boot; offset_ms: UTC minus that boot's steady clock."""

    boot: str
    run: int
    offset_ms: int
    error_ms: int
    now_ms: int


class Correction(NamedTuple):
    """By how much the clock was wrong, and how sure that is."""

    shift_ms: int
    error_ms: int


def with_times_moved(reading: Reading, shift_ms: int) -> Reading:
    """The reading as it would be had the gateway's clock been right. A device's own time is not touched."""
    return reading._replace(
        received_ms=reading.received_ms + shift_ms,
        observed_ms=reading.observed_ms + (shift_ms if reading.clock is Clock.GATEWAY else 0),
    )


class GatewayClock:
    """UTC in ms. ``sure``: the cloud has confirmed it since the machine's start."""

    def __init__(self, wall_ms: int, steady_ms: int, boot: str, kept: Kept | None) -> None:
        self.boot = boot
        self.error_ms = -1
        self.run = kept.run if kept else 1
        self._floor_ms = max(FLOOR_MS, kept.now_ms if kept else 0)
        self.possible = self.dates_count(wall_ms)
        """The machine's clock was not in the past of what is known."""
        self.goes_on = kept is not None and kept.boot == boot
        """An earlier start in this boot has set the offset: what was framed then has the same error."""
        if kept is not None and self.goes_on:
            self._offset_ms = kept.offset_ms
            self.error_ms = kept.error_ms
        else:
            self.run += 1
            self._offset_ms = (wall_ms if self.possible else self._floor_ms) - steady_ms

    def dates_count(self, wall_ms: int) -> bool:
        """Whether the machine's clock, by which certificates are judged, is not in the past of what is known."""
        return wall_ms >= self._floor_ms - 60_000

    @property
    def sure(self) -> bool:
        """The cloud has told the time since the machine's start."""
        return self.error_ms >= 0

    def now_ms(self, steady_ms: int) -> int:
        """The time, ms UTC."""
        return steady_ms + self._offset_ms

    def heard(self, cloud_ms: int, asked_steady_ms: int, answered_steady_ms: int) -> Correction:
        """The cloud said that it was ``cloud_ms`` at some moment between question and answer. Returns what changed.

        The bound of the error is half of the way there and back. A worse measure than the last one changes nothing.
        """
        error_ms = (answered_steady_ms - asked_steady_ms) // 2 + 1
        shift_ms = cloud_ms - self.now_ms((asked_steady_ms + answered_steady_ms) // 2)
        if self.sure and abs(shift_ms) <= error_ms + self.error_ms:
            return Correction(0, self.error_ms)
        self._offset_ms += shift_ms
        self.error_ms = error_ms
        return Correction(shift_ms, error_ms)

    def kept(self, steady_ms: int) -> Kept:
        """What to remember."""
        return Kept(self.boot, self.run, self._offset_ms, self.error_ms, self.now_ms(steady_ms))
