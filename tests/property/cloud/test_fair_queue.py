"""The queue before the commit: each gateway's messages in order, a turn each, bounded; a flood loses only its own."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_api.ingest.fair_queue import Arrival, FairQueue

ARRIVALS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 50)), max_size=200)


def arrival(gateway: str, number: int, size: int = 1) -> Arrival:
    return Arrival(gateway, f"{number}", b"x" * size, 0)


async def take_all(queue: FairQueue) -> list[Arrival]:
    taken: list[Arrival] = []
    while queue.messages:
        taken += await queue.take(7, 100)
    return taken


@given(ARRIVALS)
@settings(max_examples=200, deadline=None)
def test_nothing_is_forgotten_and_each_gateways_order_is_kept(arrivals: list[tuple[str, int]]) -> None:
    async def work() -> None:
        queue = FairQueue(messages_max=120, line_messages_max=60)
        put = [
            each for number, (gateway, size) in enumerate(arrivals) if queue.put(each := arrival(gateway, number, size))
        ]
        taken = await take_all(queue)
        assert len(taken) == len(put) - queue.refused_full
        assert len(put) + queue.refused == len(arrivals)
        for gateway in "abc":
            mine = [each for each in taken if each.gateway == gateway]
            assert mine == [each for each in put if each in set(mine)]
        assert queue.bytes == queue.messages == 0

    asyncio.run(work())


def test_a_flood_waits_in_its_own_line() -> None:
    async def work() -> None:
        queue = FairQueue()
        for number in range(10_000):
            queue.put(arrival("flood", number))
        for number in range(3):
            assert queue.put(arrival("quiet", number))
        first = await queue.take(6, 1_000)
        assert [each.gateway for each in first] == ["flood", "quiet"] * 3
        assert queue.refused == 10_000 - 256

    asyncio.run(work())


def test_when_all_is_full_the_longest_line_gives_way() -> None:
    async def work() -> None:
        queue = FairQueue(messages_max=100, line_messages_max=90)
        for number in range(90):
            queue.put(arrival("flood", number))
        for number in range(40):
            assert queue.put(arrival(f"gw-{number}", number))
        assert queue.messages == 100
        taken = await take_all(queue)
        assert sum(each.gateway != "flood" for each in taken) == 40

    asyncio.run(work())
