"""What every simulated device has: a random stream of its own, a truth, and a sensor that may not tell it."""

import hashlib
import random
from collections.abc import Mapping
from typing import Any, NamedTuple

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

Metrics = dict[str, Any]
CONDITIONS = ("healthy", "drops_out", "sticks", "drifts", "lies")


class DeviceSpec(NamedTuple):
    """One device of a community.

    id     external id, unique
    model  which world model and which vendor's payload: a key of simulators.vendors.VENDORS
    name   what it calls itself; zh, en: what people call it
    """

    id: str
    model: str
    gateway: str
    name: str
    zh: str
    en: str


class Fact(NamedTuple):
    """What a device says at a moment of virtual time, with what is true beside it."""

    t_ms: int
    device: str
    says: Mapping[str, Any]
    truth: Mapping[str, Any]
    condition: str


def stream(seed: int, *names: str) -> random.Random:
    """A random stream that depends on the seed and the names only: adding a device changes no other."""
    digest = hashlib.blake2b(repr((seed, *names)).encode(), digest_size=8).digest()
    return random.Random(int.from_bytes(digest, "big"))


def hour_of(t_ms: int) -> float:
    """Hour of the day, 0 to 24; virtual time begins on a Monday at 0:00."""
    return t_ms % DAY_MS / HOUR_MS


def is_weekend(t_ms: int) -> bool:
    """Saturday or Sunday."""
    return t_ms // DAY_MS % 7 >= 5


def outdoor_temperature(t_ms: int) -> float:
    """Cel: a mild day, coldest at five, warmest at three in the afternoon."""
    hour = hour_of(t_ms)
    swing = 1 - abs((hour - 15 + 12) % 24 - 12) / 10
    return 14 + 5 * max(-1.0, min(1.0, swing))


class Sensor:
    """How a device's word differs from the truth. Most are healthy; a few drop out, stick, drift or lie.

    unhealthy  share of devices that are not healthy
    """

    def __init__(self, rng: random.Random, unhealthy: float, drifting: tuple[str, ...], lying: tuple[str, ...]) -> None:
        self._rng = rng
        self._drifting = drifting
        self._lying = lying
        self.condition = "healthy"
        if rng.random() < unhealthy:
            self.condition = rng.choice(CONDITIONS[1:])
        self._since_ms = round(rng.uniform(1, 20) * HOUR_MS)
        self._lasts_ms = round(rng.uniform(1, 8) * HOUR_MS)
        self._stuck: Metrics | None = None
        self._drift_per_hour = rng.choice((-1, 1)) * rng.uniform(0.05, 0.3)

    def word(self, t_ms: int, truth: Metrics) -> Metrics | None:
        """What the device says; None when it is silent."""
        into_ms = (t_ms - self._since_ms) % (self._since_ms + self._lasts_ms + 6 * HOUR_MS)
        active = t_ms >= self._since_ms and into_ms < self._lasts_ms
        if self.condition == "healthy" or not active:
            self._stuck = None
            return truth
        if self.condition == "drops_out":
            return None
        if self.condition == "sticks":
            if self._stuck is None:
                self._stuck = truth
            return self._stuck
        if self.condition == "drifts":
            shift = self._drift_per_hour * into_ms / HOUR_MS
            return {k: round(v + shift, 2) if k in self._drifting else v for k, v in truth.items()}
        return {k: _opposite(v) if k in self._lying and self._rng.random() < 0.3 else v for k, v in truth.items()}


def _opposite(value: Any) -> Any:
    return {"free": "occupied", "occupied": "free", True: False, False: True}.get(value, value)


class SimulatedDevice:
    """A device and the piece of world it stands in. Subclasses move the truth.

    ``wake`` is called at the time it asked for; it moves the truth, may speak, and returns when to wake next.
    """

    unhealthy = 0.1
    drifting: tuple[str, ...] = ()
    lying: tuple[str, ...] = ()

    def __init__(self, spec: DeviceSpec, seed: int, t_ms: int) -> None:
        self.spec = spec
        self.rng = stream(seed, spec.id, "world")
        self.sensor = Sensor(stream(seed, spec.id, "sensor"), self.unhealthy, self.drifting, self.lying)
        self.spoken: list[Fact] = []
        self.begin(t_ms)

    def begin(self, t_ms: int) -> None:
        """Set the state in which the device stands at the beginning."""

    def truth(self, t_ms: int) -> Metrics:
        """What is true now, in words of the vocabulary."""
        raise NotImplementedError

    def wake(self, t_ms: int) -> int:
        """Move on to now; returns when to wake next."""
        raise NotImplementedError

    def obey(self, t_ms: int, verb: str, args: Mapping[str, Any]) -> int | None:
        """Carry out a command. Returns when to wake next, if that changes."""
        return None

    def speak(self, t_ms: int) -> None:
        """Say what there is to say, as the sensor sees it."""
        truth = self.truth(t_ms)
        says = self.sensor.word(t_ms, truth)
        if says is not None:
            self.spoken.append(Fact(t_ms, self.spec.id, says, truth, self.sensor.condition))
