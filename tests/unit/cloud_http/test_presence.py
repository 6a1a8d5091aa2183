"""Which of two instances is the gateway: by what is kept, by who was there, by who said that it leaves."""

import asyncio
from collections.abc import Mapping

from cloud_api.ingest import GatewayPresence
from contracts.messages import GatewayState

GATEWAY = "gw-1"
FIRST, TWIN = "first-instance", "twin"


class Scene:
    """A presence with a clock that is set by hand."""

    def __init__(self, **instances: str) -> None:
        self.now_ms = 1_000_000
        self.presence = GatewayPresence(
            lambda: self.now_ms, lambda *word: None, {GATEWAY: instances["its"]} if instances else {}
        )

    def born(self, instance: str) -> None:
        self.presence.heard(GATEWAY, GatewayState(online=True, session=instance, instance=instance, at_ms=1))

    def dead(self, instance: str, at_ms: int) -> None:
        self.presence.heard(GATEWAY, GatewayState(online=False, session=instance, at_ms=at_ms))

    def waits(self, instance: str) -> bool:
        return self.presence.is_fenced(GATEWAY, instance)


def test_after_a_restart_the_twin_that_connects_first_is_not_the_gateway() -> None:
    scene = Scene(its=FIRST)
    scene.born(TWIN)
    assert scene.waits(TWIN)
    assert scene.presence.twin_seen_ms(GATEWAY) == scene.now_ms
    assert not scene.presence.online(GATEWAY)
    scene.born(FIRST)
    assert scene.presence.online(GATEWAY)
    assert not scene.waits(FIRST)
    scene.now_ms += 59_999
    assert scene.waits(TWIN)


def test_one_that_never_comes_back_is_waited_for_a_minute() -> None:
    scene = Scene(its=FIRST)
    scene.now_ms += 60_000
    scene.born(TWIN)
    assert scene.presence.online(GATEWAY)
    assert scene.presence.instance(GATEWAY) == TWIN
    assert scene.waits(FIRST), "there are not two of them in turn"


def test_a_clean_death_lifts_the_fence_and_a_lost_link_does_not() -> None:
    scene = Scene()
    scene.born(FIRST)
    scene.dead(FIRST, at_ms=0)  # the will
    scene.now_ms += 30_000
    assert scene.waits(TWIN), "a link that is lost for half a minute gives the gateway away"
    scene.born(FIRST)
    scene.dead(TWIN, at_ms=1)
    assert scene.presence.online(GATEWAY), "the death of who is fenced is not the gateway's"
    scene.dead(FIRST, at_ms=1)
    scene.now_ms += 9_999
    assert scene.waits(TWIN), "a restart of the agent gives the gateway away"
    scene.now_ms += 1
    assert not scene.waits(TWIN)
    scene.born(TWIN)
    assert scene.waits(FIRST)


def test_who_it_is_is_kept_once_for_each_change() -> None:
    async def scenario() -> None:
        kept: list[Mapping[str, str]] = []
        done = asyncio.Event()

        async def keep(changed: Mapping[str, str], now_ms: int) -> None:
            kept.append(changed)
            if len(kept) == 1:
                raise OSError("the disk is full")
            done.set()

        scene = Scene()
        scene.born(FIRST)
        scene.born(FIRST)
        async with asyncio.timeout(20):
            watching = asyncio.create_task(scene.presence.watch(keep))
            await done.wait()
            watching.cancel()
        assert kept == [{GATEWAY: FIRST}, {GATEWAY: FIRST}], "not tried again"

    asyncio.run(scenario())
