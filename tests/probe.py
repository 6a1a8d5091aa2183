"""How old is what people see? A sensor that says a number now and then, and a watcher of the live stream."""

import json
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.devices import ForeignClient, reading
from tests.processes import CloudApi, wait_for


class Probe:
    """Publishes numbered readings of one device; notes when each, or a later one, is in the live stream."""

    def __init__(self, cloud: CloudApi, local_port: int, device: str = "probe", per_s: float = 10) -> None:
        self.sent: list[float] = []
        self.seen: list[float] = []  # seen[n]: when number n, or a later one, was there
        self._cloud = cloud
        self._device = device
        self._per_s = per_s
        self._client = ForeignClient(local_port, f"probe-{device}")
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._say, self._watch)]

    def start(self) -> None:
        """Begin; returns when the stream shows the device."""
        self._threads[0].start()
        self._id = wait_for(lambda: self._cloud.device(self._device), "the probe to be adopted")["id"]
        self._threads[1].start()
        wait_for(lambda: self.seen, "the probe in the live stream", 20)

    def stop(self) -> list[int]:
        """Stop; every number that was sent."""
        self._stop.set()
        self._threads[0].join()
        self._client.__exit__()
        return list(range(len(self.sent)))

    def delays_s(self, since: float, until: float) -> list[float]:
        """Delays of what was sent between these moments (time.monotonic()). What is not there yet is as late as it is."""
        now = time.monotonic()
        arrived = [self.seen[n] if n < len(self.seen) else now for n in range(len(self.sent))]
        return [there - sent for sent, there in zip(self.sent, arrived, strict=False) if since <= sent <= until]

    def p95_s(self, since: float, until: float) -> float:
        """The 95th percentile of the delays."""
        return statistics.quantiles(self.delays_s(since, until), n=20)[-1]

    def _say(self) -> None:
        while not self._stop.wait(1 / self._per_s):
            self.sent.append(time.monotonic())
            self._client.send(f"linli-device/reading/{self._device}", reading(len(self.sent) - 1))

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                with self._cloud.ask(f"live?device={self._id}", timeout_s=30) as stream:
                    for line in stream:
                        if self._stop.is_set():
                            return
                        if line.startswith(b"data: "):
                            self._note(json.loads(line[6:]))
            except OSError:
                self._stop.wait(0.2)

    def _note(self, data: dict[str, Any]) -> None:
        now = time.monotonic()
        for device in data.get("devices", [data]):
            if counter := device.get("metrics", {}).get("message_count"):
                self.seen += [now] * (int(counter["value"]) + 1 - len(self.seen))


@contextmanager
def running_probe(cloud: CloudApi, local_port: int, device: str = "probe", per_s: float = 10) -> Iterator[Probe]:
    """A probe for a while."""
    probe = Probe(cloud, local_port, device, per_s)
    probe.start()
    try:
        yield probe
    finally:
        probe.stop()
