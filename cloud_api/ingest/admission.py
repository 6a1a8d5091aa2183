"""Who of those that come back may send now: when all come at once, as many as the log and the live state keep up with.

Pure. A gateway that has frames to send takes a place with the answer to its question, and gives it back when the first of
them are committed, or after a while. Who has stayed needs none: its frames never wait behind more than those of the few.
"""

from contracts.messages import GatewayState

AT_ONCE = 48
AT_ONCE_BEHIND = 8
"""While the live state is behind: enough that nobody waits for ever."""
FRAMES = 4
"""So many frames are waited for, which is an agent's first window: what follows goes at the pace of acknowledgements."""
HELD_MS_MAX = 2_000
"""No place is held for longer: what was answered may be lost, or another worker has the frames."""


def frames_to_send(state: GatewayState) -> int:
    """Frames that it has not got acknowledged, by its own word."""
    return sum(max(0, lane.last_seq - lane.oldest_unacked_seq + 1) for lane in state.lanes)


class Admission:
    """The places. Times are ms of one clock, which may be set."""

    def __init__(self) -> None:
        self._places: dict[str, tuple[int, int]] = {}  # gateway -> (since, frames still to come)

    def room(self, now_ms: int, behind: bool) -> int:
        """How many may be let in. behind: what is committed is not yet seen."""
        self._places = {
            gateway: (since_ms, left)
            for gateway, (since_ms, left) in self._places.items()
            if abs(now_ms - since_ms) < HELD_MS_MAX
        }
        return max(0, (AT_ONCE_BEHIND if behind else AT_ONCE) - len(self._places))

    def let_in(self, gateway: str, frames: int, now_ms: int) -> None:
        """It is answered, and will send."""
        if frames:
            self._places[gateway] = now_ms, min(frames, FRAMES)

    def committed(self, gateway: str) -> bool:
        """A frame of it is in the log. Returns whether a place has become free."""
        if (place := self._places.get(gateway)) is None:
            return False
        since_ms, left = place
        if left > 1:
            self._places[gateway] = since_ms, left - 1
            return False
        del self._places[gateway]
        return True
