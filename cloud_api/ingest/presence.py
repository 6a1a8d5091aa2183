"""Which gateways are there, by their retained births, heartbeats and deaths."""

from collections.abc import Callable

from contracts.messages import GatewayState

SILENT_MS = 40_000
"""A gateway that was online and has not been heard of for so long is not."""


class GatewayPresence:
    """The last word of each gateway. ``changed`` is told (gateway, online, at_ms) when one comes or goes."""

    def __init__(self, clock: Callable[[], int], changed: Callable[[str, bool, int], None]) -> None:
        self._clock = clock
        self._changed = changed
        self._states: dict[str, GatewayState] = {}
        self._heard_ms: dict[str, int] = {}

    def heard(self, gateway: str, state: GatewayState) -> None:
        """A birth, heartbeat or death. A death counts only if it is of the session that is known as alive."""
        known = self._states.get(gateway)
        was_online = known is not None and known.online
        now_ms = self._clock()
        if not state.online:
            if known is not None and known.online and known.session != state.session:
                return  # the death of an earlier session, come late
            if known is not None:
                known.online = False
                if was_online:
                    self._changed(gateway, False, now_ms)
            else:
                self._states[gateway] = state
            return
        self._states[gateway] = state
        self._heard_ms[gateway] = now_ms
        if not was_online:
            self._changed(gateway, True, now_ms)

    def online(self, gateway: str) -> bool:
        """Is it there?"""
        state = self._states.get(gateway)
        if state is None or not state.online:
            return False
        return self._clock() - self._heard_ms.get(gateway, 0) < SILENT_MS

    def state(self, gateway: str) -> GatewayState | None:
        """Its last word, also when it is gone."""
        return self._states.get(gateway)

    def last_seen_ms(self, gateway: str) -> int | None:
        """When it was last heard of, ms UTC; None when never."""
        return self._heard_ms.get(gateway)

    def count_online(self) -> int:
        """How many are there."""
        return sum(self.online(gateway) for gateway in self._states)
