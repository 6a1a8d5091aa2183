"""Two times: the wall clock's, which the central system lives in, and the simulated, ``speed`` times as fast."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass
class Scale:
    """At ``wall_ms`` it was ``virtual_ms``. Cars live in simulated time; on the wire all times are the wall clock's."""

    wall_ms: int
    virtual_ms: int
    speed: float

    def at(self, wall_ms: int) -> int:
        """The simulated time at this time of the wall clock."""
        return self.virtual_ms + int((wall_ms - self.wall_ms) * self.speed)

    def wall(self, virtual_ms: int) -> int:
        """The wall clock's time at this simulated one."""
        return self.wall_ms + int((virtual_ms - self.virtual_ms) / self.speed)

    def read(self, text: str) -> int:
        """A time that the central system says (RFC 3339), simulated."""
        return self.at(read(text))

    def last(self, seconds: float) -> int:
        """So many seconds of the wall clock, in simulated ms."""
        return int(seconds * 1000 * self.speed)


def read(text: str) -> int:
    """A time as OCPP writes it (RFC 3339), ms UTC."""
    said = datetime.fromisoformat(text)
    return round((said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp() * 1000)


def written(at_ms: int) -> str:
    """A time as OCPP writes it."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
