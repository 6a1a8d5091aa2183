"""Devices moved to and fro, by a model: every event is one device's at most, and spans never overlap."""

import asyncio
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import device_registry as registry
from contracts.messages import DeviceSeen
from device_registry import Name

NOW = 1_000
PLACES = [("gw-1", "a"), ("gw-1", "b"), ("gw-2", "a")]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("see"), st.sampled_from(PLACES), st.integers(1, NOW)),
        st.tuples(st.just("move"), st.integers(0, 9), st.sampled_from(PLACES), st.integers(1, NOW), st.booleans()),
    ),
    min_size=1,
    max_size=14,
)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database with two gateways of one community."""
    file = tmp_path_factory.mktemp("registry") / "empty.sqlite"

    async def make() -> None:
        await registry.migrate(f"sqlite://{file}")
        async with registry.open_database(f"sqlite://{file}"):
            await registry.put_community("willow", Name("柳园", "Willow"), NOW)
            for gateway in ("gw-1", "gw-2"):
                await registry.put_gateway(gateway, "willow", Name("网关", "Gateway"), NOW, adopt=True)

    asyncio.run(make())
    return file


@given(given_steps=steps)
@settings(max_examples=60, deadline=None)
def test_every_event_is_one_devices_at_most(empty: Path, given_steps: list[tuple[object, ...]]) -> None:
    file = empty.with_name("tried.sqlite")
    shutil.copy(empty, file)
    asyncio.run(_check(f"sqlite://{file}", given_steps))


async def _check(url: str, given_steps: list[tuple[object, ...]]) -> None:
    held: dict[tuple[str, str], list[tuple[int, float, str]]] = {place: [] for place in PLACES}  # (from, to, device)
    async with registry.open_database(url):
        for step in given_steps:
            devices = await registry.devices(registry.DeviceFilter())
            if step[0] == "see":
                _, place, at_ms = step
                spans = held[place]  # type: ignore[index]
                seen = DeviceSeen(
                    device=place[1], profile="p/q", profile_version=1, kind="waste", at_ms=at_ms, verbs=[], name=""
                )  # type: ignore[index, arg-type]
                row = await registry.device_seen(place[0], seen, NOW, adopt=True)  # type: ignore[index]
                free_ms = max((to for _, to, _ in spans), default=0)
                if free_ms != float("inf") and at_ms >= free_ms:  # type: ignore[operator]
                    assert row is not None and (row.status == "pending") == bool(spans)
                    spans.append((int(free_ms), float("inf"), row.id))
                if row is not None:
                    await registry.adopt_device(row.id, NOW)
            elif devices:
                _, which, place, at_ms, replace = step
                row = devices[which % len(devices)]  # type: ignore[operator]
                try:
                    await registry.move_device(row.id, place[0], NOW, place[1], at_ms, replace)  # type: ignore
                except registry.Conflict:
                    continue
                here = (row.gateway_id, row.external_id)
                if here != place:
                    begin = held[here].pop()[0]
                    held[here].append((begin, at_ms, row.id))  # type: ignore[arg-type]
                    if held[place] and held[place][-1][1] == float("inf"):  # type: ignore[index]
                        held[place].pop()  # type: ignore[index]
                    held[place].append((at_ms, float("inf"), row.id))  # type: ignore[index, arg-type]
        everything = await registry.sources_of_all(await registry.devices(registry.DeviceFilter()))
        for spans_of_one in everything.values():
            assert all(one.from_ms < one.to_ms <= two.from_ms for one, two in pairwise(spans_of_one))
        told = sorted((span.source, span.from_ms, span.to_ms, one) for one, each in everything.items() for span in each)
        end = registry.SourceSpan("", "").to_ms
        assert told == sorted(
            (place, begin, end if to == float("inf") else to, one)
            for place, each in held.items()
            for begin, to, one in each
        )
        events = [(*place, t_ms) for place in PLACES for t_ms in range(0, NOW + 1, 20)]
        at = await registry.devices_at(events)
        for *place, t_ms in events:
            holders = [one for begin, to, one in held[tuple(place)] if begin <= t_ms < to]  # type: ignore[index]
            assert [at[event] for event in [(*place, t_ms)] if event in at] == holders  # type: ignore[comparison-overlap]
