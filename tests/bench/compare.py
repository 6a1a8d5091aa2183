"""The same work through each system: as fast as it goes, at 500 readings/s, through an outage, through a kill -9."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.load import RawPublisher, payloads
from tests.bench.systems import OTHERS, System
from tests.processes import wait_for

WARM_UP = 2_000
PACE_PER_S, PACED_S, OUTAGE_S = 500, 8, 20
KILLED_READINGS = 10_000
SILENCE_S = 25.0
"""A program that has delivered nothing new for so long has lost the rest."""


def compare(make: Callable[[Path], System], folder: Path) -> dict[str, float]:
    """All of it with one system. Names are without the system's."""
    before = os.sched_getaffinity(0)
    system = make(folder)
    try:
        system.start()
        os.sched_setaffinity(0, {OTHERS})
        return _Run(system).all()
    finally:
        os.sched_setaffinity(0, before)
        system.stop()


class _Run:
    def __init__(self, system: System) -> None:
        self.system = system
        self._publisher = RawPublisher(system.port)
        self._published = 0
        self._lost = 0

    def all(self) -> dict[str, float]:
        """In this order: each begins with everything delivered."""
        self._publish(WARM_UP)
        self._settle()
        found = {**self._saturated(), **self._paced(), **self._outage(), **self._killed()}
        self._publisher.close()
        return found

    def _publish(self, count: int, rate: float = 0) -> None:
        self._publisher.publish_all(payloads(count, first=self._published), rate)
        self._published += count

    def _settle(self, pause_s: float = 0.02) -> float:
        """Wait until everything is in the north, or nothing new comes any more. Returns when the last one came."""
        arrived, last = self.system.arrived(), time.monotonic()
        while arrived + self._lost < self._published and time.monotonic() - last < SILENCE_S:
            time.sleep(pause_s)
            if (now := self.system.arrived()) > arrived:
                arrived, last = now, time.monotonic()
        self._lost = self._published - arrived
        return last

    def _saturated(self) -> dict[str, float]:
        count = self.system.readings
        messages = payloads(count, first=self._published)
        sent, cpu_s, began = self.system.uplink_bytes(), self.system.cpu_s(), time.monotonic()
        self._publisher.publish_all(messages)
        self._published += count
        last = self._settle()
        return {
            "readings_per_s": (count - self._lost) / (last - began),
            "cpu_s_per_1k": (self.system.cpu_s() - cpu_s) / count * 1000,
            "rss_mb": self.system.resident_mb(),
            "uplink_bytes_per_reading": (self.system.uplink_bytes() - sent) / count,
        }

    def _paced(self) -> dict[str, float]:
        cpu_s = self.system.cpu_s()
        self._publish(PACE_PER_S * PACED_S, PACE_PER_S)
        self._settle()
        return {"cpu_s_per_1k_at_500": (self.system.cpu_s() - cpu_s) / (PACE_PER_S * PACED_S) * 1000}

    def _outage(self) -> dict[str, float]:
        arrived, repeated, rss_mb = self.system.arrived(), self.system.repeated(), self.system.resident_mb()
        self.system.north_away()
        self._publish(PACE_PER_S * OUTAGE_S, PACE_PER_S)
        grown_mb = self.system.resident_mb()
        assert self.system.arrived() == arrived, "there was no outage"
        began = time.monotonic()
        self.system.north_back()
        wait_for(lambda: self.system.arrived() > arrived, "the first reading after the outage", 60, 0.005)
        first = time.monotonic()
        lost, last = self._lost, self._settle()
        return {
            "outage_rss_growth_mb": grown_mb - rss_mb,
            "outage_rss_mb": grown_mb,
            "outage_first_data_s": first - began,
            "outage_all_data_s": last - began,
            "outage_lost": self._lost - lost,
            "outage_repeated": self.system.repeated() - repeated,
        }

    def _killed(self) -> dict[str, float]:
        self.system.north_away()
        self._publish(KILLED_READINGS)
        time.sleep(1)
        self.system.kill()
        self.system.north_back()
        self.system.restart()
        lost = self._lost
        self._settle()
        return {"killed_lost": self._lost - lost}
