"""Which gateways are there, by their retained births, heartbeats and deaths; and whether one is there twice."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

import msgspec

from contracts import topics
from contracts.messages import GatewayState

log = logging.getLogger(__name__)
_reader = msgspec.msgpack.Decoder(GatewayState)

LinkWord = Literal["both", "up_only", "none"]
SILENT_MS = 40_000
"""A gateway that was online and has not been heard of for so long is not, unless it says how often it speaks."""
SILENT_MS_MIN = 10_000
HEARTBEATS_MISSED = 4
FENCE_MS = 60_000
"""Another instance under the same name is heard only when the first has been silent for so long."""
FENCE_LEFT_MS = 10_000
"""... or has said that it leaves, and has not come back for so long: a restart of the agent takes less."""
INSTANCE_MAX = 200
"""Characters of an instance that are kept."""


class GatewayPresence:
    """The last word of each gateway. ``changed`` is told (gateway, online, at_ms) when one comes or goes.

    instances  gateway -> the instance that was it when the program before ended: it has FENCE_MS to come back
    """

    def __init__(
        self,
        clock: Callable[[], int],
        changed: Callable[[str, bool, int], None],
        instances: Mapping[str, str] | None = None,
    ) -> None:
        self._clock = clock
        self._changed = changed
        self._states: dict[str, GatewayState] = {}
        self._heard_ms: dict[str, int] = {}
        self._twin_ms: dict[str, int] = {}
        self._left_ms: dict[str, int] = {}
        self._instances = dict(instances or {})
        self._unkept: dict[str, str] = {}
        self._begun_ms = clock()

    def take(self, topic: str, payload: bytes) -> GatewayState | None:
        """A state as it came from the broker. Returns it, or None when it can't be read."""
        try:
            state = _reader.decode(payload)
            self.heard(topics.gateway_of(topic), state)
        except (ValueError, msgspec.MsgspecError) as error:
            log.warning("gateway state can't be read", extra={"topic": topic, "error": str(error)})
            return None
        return state

    def heard(self, gateway: str, state: GatewayState) -> None:
        """A birth, heartbeat or death. A death counts only if it is of the session that is known as alive.

        A second instance under the same name (a copied disk) is not heard as the gateway; that it is there is kept. A
        death that says when is the gateway's own word: it leaves. Without, it is the broker's, of a link that was lost.
        """
        known = self._states.get(gateway)
        was_online = known is not None and known.online
        now_ms = self._clock()
        if state.online and self.is_fenced(gateway, state.instance):
            self._twin_ms[gateway] = now_ms
            log.error("gateway is there twice", extra={"gateway": gateway, "instance": state.instance})
            return
        if not state.online:
            if known is not None and known.online and known.session != state.session:
                return  # the death of an earlier session, come late
            if known is not None:
                known.online = False
                if was_online and state.at_ms:
                    self._left_ms[gateway] = now_ms
                if was_online:
                    self._changed(gateway, False, now_ms)
            else:
                self._states[gateway] = state
            return
        if state.unheard_ms and not (known and known.unheard_ms):
            log.error("gateway is heard, and hears nothing", extra={"gateway": gateway, "unheard_ms": state.unheard_ms})
        self._states[gateway] = state
        self._heard_ms[gateway] = now_ms
        self._left_ms.pop(gateway, None)
        instance = _storable(state.instance)
        if instance and instance != self._instances.get(gateway):
            self._instances[gateway] = self._unkept[gateway] = instance
        if not was_online:
            self._changed(gateway, True, now_ms)

    def shut_out(self, gateway: str) -> None:
        """No certificate of it holds any more: it is not there, whatever it says."""
        known = self._states.get(gateway)
        if known is not None and known.online:
            known.online = False
            self._changed(gateway, False, self._clock())

    def is_fenced(self, gateway: str, instance: str) -> bool:
        """Another instance is this gateway's and was there within FENCE_MS, or left within FENCE_LEFT_MS: this one waits."""
        its = self._instances.get(gateway)
        if not its or not instance or its == _storable(instance):
            return False
        if gateway in self._left_ms:
            return self._clock() - self._left_ms[gateway] < FENCE_LEFT_MS
        return self._clock() - self._heard_ms.get(gateway, self._begun_ms) < FENCE_MS

    def instance(self, gateway: str) -> str:
        """Which instance is this gateway's, "" when none was ever named."""
        return self._instances.get(gateway, "")

    def twin_seen_ms(self, gateway: str) -> int | None:
        """When another instance of it was last fenced off, ms UTC; None when never."""
        return self._twin_ms.get(gateway)

    def count_twins(self) -> int:
        """Gateways that were there twice within the last quarter of an hour."""
        return sum(self._clock() - seen_ms < 900_000 for seen_ms in self._twin_ms.values())

    def online(self, gateway: str) -> bool:
        """Is it there?"""
        state = self._states.get(gateway)
        if state is None or not state.online:
            return False
        silent_ms = max(HEARTBEATS_MISSED * state.heartbeat_ms, SILENT_MS_MIN) if state.heartbeat_ms else SILENT_MS
        return self._clock() - self._heard_ms.get(gateway, 0) < silent_ms

    async def watch(self, keep: Callable[[Mapping[str, str], int], Awaitable[None]]) -> None:
        """Look every second, until cancelled. keep: keeps which instances are new, (gateway -> instance, now_ms)."""
        while True:
            await asyncio.sleep(1)
            self.look()
            if changed := self._unkept:
                self._unkept = {}
                try:
                    await keep(changed, self._clock())
                except (OSError, ValueError) as error:  # tried again: until then a restart would know the one before
                    log.error("instances can't be kept", extra={"error": str(error)})
                    self._unkept = changed | self._unkept

    def look(self) -> None:
        """Notice who has fallen silent without a death."""
        for gateway, state in self._states.items():
            if state.online and not self.online(gateway):
                state.online = False
                log.warning("gateway has fallen silent", extra={"gateway": gateway})
                self._changed(gateway, False, self._clock())

    def link(self, gateway: str) -> LinkWord:
        """both; up_only: it is heard, and says that it hears nothing; none: it is not heard."""
        if not self.online(gateway):
            return "none"
        return "up_only" if self._states[gateway].unheard_ms else "both"

    def certificates(self) -> dict[str, str]:
        """Gateway -> serial of the certificate by which it says that it came in, of those that are there and say it."""
        return {
            gateway: state.certificate for gateway, state in self._states.items() if state.online and state.certificate
        }

    def count_up_only(self) -> int:
        """Gateways that are heard and hear nothing."""
        return sum(self.link(gateway) == "up_only" for gateway in self._states)

    def state(self, gateway: str) -> GatewayState | None:
        """Its last word, also when it is gone."""
        return self._states.get(gateway)

    def desired_version(self, gateway: str) -> int:
        """The version of the desired state that it says it uses, 0 when it has said nothing."""
        state = self._states.get(gateway)
        return state.desired_version if state is not None else 0

    def last_seen_ms(self, gateway: str) -> int | None:
        """When it was last heard of, ms UTC; None when never."""
        return self._heard_ms.get(gateway)

    def known(self) -> list[str]:
        """Every gateway that was heard of since the start, in the order of their ids."""
        return sorted(self._states)

    def count_online(self) -> int:
        """How many are there."""
        return sum(self.online(gateway) for gateway in self._states)


def _storable(instance: str) -> str:
    """What a gateway calls its instance, as any database takes it: gateways are not trusted."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in instance[:INSTANCE_MAX])
