"""The agent's parts joined, with clocks, a crash and the cloud's words given by hand: mistakes that it once made."""

import asyncio
import functools
import random
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contracts import topics
from contracts.frame import Frame, decode_frame
from contracts.messages import ClockHealed, Dropped, FrameAck, GatewayState, IngestState, Message, Refused, Welcome
from contracts.reading import Clock, Reading, Sample
from edge_agent import intake
from edge_agent.outbox import Batch
from edge_agent.profiles import ProfileSet
from edge_agent.profiles.check import load_with_own
from edge_agent.profiles.guard import Guard
from edge_agent.program import Agent, opened
from edge_agent.settings import Settings
from edge_agent.southbound.packets import Publish
from tests.faults.test_disk import small_disk

GATEWAY = "gw-1"
TRUE_MS = 1_795_000_000_000
WRONG_MS = 5_000  # a machine without a battery
HOUR_MS = 3_600_000


def on_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that runs on an event loop of its own."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        asyncio.run(test(**fixtures))

    return run


class Killed(BaseException):
    """The process ends here."""


class Clocks:
    """The machine's: the wall clock, which may be wrong, and the steady one."""

    def __init__(self, wall_ms: int) -> None:
        self.wall_ms = wall_ms
        self.steady_ms = 1_000_000

    def pass_by(self, ms: int) -> None:
        self.wall_ms += ms
        self.steady_ms += ms


@pytest.fixture(scope="module")
def profiles() -> ProfileSet:
    return load_with_own(None)


def agent_of(folder: Path, profiles: ProfileSet, clocks: Clocks, mqtt: Any = None, **more: Any) -> Agent:
    """The agent of one folder, in one and the same boot of its machine."""
    checkpoint, jitter = more.pop("checkpoint", None), more.pop("jitter", random.Random)
    settings = Settings(gateway_id=GATEWAY, data_dir=str(folder), disk_free_bytes_min=0, heartbeat_s=0.2, **more)
    return Agent(
        settings, profiles, lambda: clocks.wall_ms, lambda: clocks.steady_ms, jitter, mqtt, "boot-1",
        checkpoint or (lambda place: None),
    )  # fmt: skip


def reading(agent: Agent, number: int, device: str = "d") -> Reading:
    at_ms = agent.now_ms()
    return Reading(device, at_ms, at_ms, Clock.GATEWAY, (Sample("message_count", number),))


def frames_in(folder: Path) -> list[Frame]:
    """What the outbox file holds, oldest first, a lane after the other."""
    with sqlite3.connect(folder / "outbox.sqlite") as db:
        return [decode_frame(row[0]) for row in db.execute("SELECT payload FROM frames ORDER BY epoch, lane, seq")]


async def tell_time(agent: Agent, clocks: Clocks, cloud_ms: int) -> None:
    """The cloud's answer, which took 10 ms in all."""
    asked_ms = clocks.steady_ms
    clocks.pass_by(10)
    await agent.on_time(cloud_ms, asked_ms, clocks.steady_ms)


@on_a_loop
async def test_a_topic_may_speak_again_at_once_when_the_clock_was_set_back(
    tmp_path: Path, profiles: ProfileSet
) -> None:
    clocks = Clocks(TRUE_MS + HOUR_MS)
    agent = agent_of(tmp_path, profiles, clocks, topic_messages_per_s_max=1, topic_messages_burst=1)

    def cut_off() -> int:
        agent.intake.take([Publish("somebody/speaks", b"{}", 0, False, False, 0)])
        return agent.intake.refusals.get("quota_exceeded", 0)

    assert (cut_off(), cut_off()) == (0, 1), "one a second is its quota"
    await tell_time(agent, clocks, TRUE_MS)
    clocks.pass_by(2_000)
    assert agent.now_ms() < TRUE_MS + HOUR_MS // 2, "the clock was not set back"
    assert cut_off() == 1
    agent.close()


@on_a_loop
async def test_what_came_while_its_profile_rested_is_read_when_it_wakes(tmp_path: Path, profiles: ProfileSet) -> None:
    clocks = Clocks(TRUE_MS)
    guard = Guard(lambda: clocks.steady_ms * 1_000_000, lambda: 0)
    agent = agent_of(tmp_path, ProfileSet(profiles.profiles.values(), guard), clocks)
    agent.applying.look_s = 0.01
    for _ in range(3):
        guard.strike("linli/reading")
    agent.intake.take([Publish("linli-device/reading/d", b'{"samples": {"temperature": 4}}', 0, False, False, 0)])
    assert agent.intake.refusals == {"profile_suspended": 1}
    running = [asyncio.create_task(agent.writer.run()), asyncio.create_task(agent.applying.run())]
    try:
        async with asyncio.timeout(10):
            await agent.writer.flushed()
            assert [kept.reason for kept in agent.outbox.kept_messages()] == ["profile_suspended"]
            clocks.pass_by(61_000)
            while agent.outbox.kept_messages():
                await asyncio.sleep(0.01)
    finally:
        for task in reversed(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    (read,) = [each for frame in frames_in(tmp_path) for each in frame.readings]
    assert (read.device, read.samples[0].value, read.received_ms) == ("d", 4, TRUE_MS)
    agent.close()


@on_a_loop
async def test_a_device_too_many_is_refused_by_name(
    tmp_path: Path, profiles: ProfileSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "DEVICES_MAX", 2)
    agent = agent_of(tmp_path, profiles, Clocks(TRUE_MS))

    def said(device: str) -> None:
        message = b'{"samples": {"temperature": 4}}'
        agent.intake.take([Publish(f"linli-device/reading/{device}", message, 0, False, False, 0)])

    for device in ("a", "b", "c", "a"):
        said(device)
    assert (sorted(agent.intake.devices), agent.intake.readings) == (["a", "b"], 3)
    assert agent.intake.refusals == {"too_many_devices": 1}
    agent.intake.forget(["a"])  # taken to another gateway: there is room again
    said("c")
    assert sorted(agent.intake.devices) == ["b", "c"]
    agent.close()


@on_a_loop
async def test_killed_while_times_are_moved_it_still_knows_that_they_are_to_be(
    tmp_path: Path, profiles: ProfileSet
) -> None:
    clocks = Clocks(WRONG_MS)
    agent = agent_of(tmp_path, profiles, clocks, checkpoint=raising("in_healing", Killed()))
    for number in range(100):  # more than one transaction moves
        agent.outbox.commit(Batch(readings=[reading(agent, number)], messages=1))
    with pytest.raises(Killed):
        await tell_time(agent, clocks, TRUE_MS)
    clocks.pass_by(500)
    again = agent_of(tmp_path, profiles, clocks)
    assert not again.clock.sure
    await tell_time(again, clocks, TRUE_MS + 510)
    assert again.clock.sure
    assert_true([each for frame in frames_in(tmp_path) for each in frame.readings], 100)
    again.close()


@on_a_loop
async def test_moving_times_goes_on_after_an_error_of_the_disk(tmp_path: Path, profiles: ProfileSet) -> None:
    clocks = Clocks(WRONG_MS)
    error = sqlite3.OperationalError("disk I/O error")
    agent = agent_of(tmp_path, profiles, clocks, checkpoint=raising("in_healing", error))
    for number in range(100):
        agent.outbox.commit(Batch(readings=[reading(agent, number)], messages=1))
    with pytest.raises(sqlite3.OperationalError):
        await tell_time(agent, clocks, TRUE_MS)
    await tell_time(agent, clocks, TRUE_MS + 10)  # the clock is right by now: there is no shift in this word
    assert_true([each for frame in frames_in(tmp_path) for each in frame.readings], 100)
    agent.close()


def raising(at: str, error: BaseException) -> Callable[[str], None]:
    """A crash point's answer: the error, once."""
    left = [error]

    def checkpoint(place: str) -> None:
        if place == at and left:
            raise left.pop()

    return checkpoint


def assert_true(readings: list[Reading], count: int) -> None:
    assert len(readings) == count
    assert all(abs(each.observed_ms - TRUE_MS) < 60_000 for each in readings)
    assert all(abs(each.received_ms - TRUE_MS) < 60_000 for each in readings)


def test_what_no_frame_takes_is_refused_by_name_and_stops_nothing(tmp_path: Path, profiles: ProfileSet) -> None:
    agent = agent_of(tmp_path, profiles, Clocks(TRUE_MS))
    agent.outbox.commit(
        Batch(readings=[reading(agent, 1), reading(agent, 2, "half a \ud800"), reading(agent, 3)], messages=3)
    )
    found = frames_in(tmp_path)
    assert [sample.value for frame in found for each in frame.readings for sample in each.samples] == [1, 3]
    (refused,) = [record for frame in found for record in frame.records if isinstance(record, Refused)]
    assert (refused.topic, refused.reason) == ("half a ?", "unframable")
    agent.close()


class Said:
    """A message to or from the cloud, as aiomqtt gives it."""

    def __init__(self, topic: str, payload: bytes) -> None:
        self.topic = topic
        self.payload = payload
        self.retain = False


class Cloud:
    """The client of one session: what the agent says is kept, what it is to hear is put in."""

    pending_calls_threshold = 0

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Said] = asyncio.Queue(10_000)
        self.told: asyncio.Queue[Said] = asyncio.Queue(10_000)

    def __call__(self, *address: Any, **options: Any) -> "Cloud":
        return self

    async def __aenter__(self) -> "Cloud":
        return self

    async def __aexit__(self, *error: object) -> None:
        pass

    async def subscribe(self, *filters: Any, **options: Any) -> None:
        pass

    async def publish(self, topic: str, payload: bytes, **options: Any) -> None:
        self.heard.put_nowait(Said(topic, payload))

    @property
    async def messages(self) -> AsyncIterator[Said]:
        while True:
            yield await self.told.get()

    def tell(self, topic: str, message: Message) -> None:
        self.told.put_nowait(Said(topic, msgspec.msgpack.encode(message)))

    async def frames(self, count: int) -> list[Frame]:
        """The next frames that come up."""
        found: list[Frame] = []
        while len(found) < count:
            said = await self.heard.get()
            if "/up/" in said.topic:
                found.append(decode_frame(said.payload))
        return found

    async def question(self) -> GatewayState:
        """The next state that asks."""
        while True:
            said = await self.heard.get()
            if said.topic == topics.state(GATEWAY):
                state = msgspec.msgpack.decode(said.payload, type=GatewayState)
                if state.ask:
                    return state

    def answer(self, question: GatewayState) -> None:
        """The cloud holds nothing, wants nothing."""
        welcome = Welcome(session=question.session, at_ms=TRUE_MS, to_ms=question.at_ms)
        self.tell(topics.welcome(GATEWAY), welcome)


@asynccontextmanager
async def on_line(agent: Agent) -> AsyncIterator[None]:
    """Its writer and its session with the cloud run."""
    running = [asyncio.create_task(agent.writer.run()), asyncio.create_task(agent.uplink.run())]
    try:
        async with asyncio.timeout(20):
            yield
    finally:
        for task in reversed(running):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        agent.close()


@on_a_loop
async def test_an_acknowledgement_before_the_clouds_word_is_passed_over(tmp_path: Path, profiles: ProfileSet) -> None:
    """It may be meant for another outbox of which this one is a copy: then nobody holds these frames."""
    cloud, clocks = Cloud(), Clocks(TRUE_MS)
    agent = agent_of(tmp_path, profiles, clocks, cloud)
    for number in range(3):
        agent.outbox.commit(Batch(readings=[reading(agent, number)], messages=1))
    async with on_line(agent):
        cloud.tell(topics.INGEST, IngestState(online=True, session="i1"))
        question = await cloud.question()
        cloud.tell(topics.ack(GATEWAY), FrameAck(epoch=agent.outbox.epoch, lane="bulk", ranges=[(1, 3)]))
        cloud.answer(question)
        assert [frame.header.seq for frame in await cloud.frames(3)] == [1, 2, 3]


@on_a_loop
async def test_an_answer_that_is_late_spoils_no_times(tmp_path: Path, profiles: ProfileSet) -> None:
    """Many ask at once. The clock is not known, so nothing goes before the answer; what it has waited is no error."""
    cloud, clocks = Cloud(), Clocks(WRONG_MS)
    agent = agent_of(tmp_path, profiles, clocks, cloud)
    agent.outbox.commit(Batch(readings=[reading(agent, 1)], messages=1))
    async with on_line(agent):
        cloud.tell(topics.INGEST, IngestState(online=True, session="i1"))
        await cloud.question()
        question = await cloud.question()  # the first one that is asked because ingest is there
        clocks.pass_by(HOUR_MS)
        for _ in range(3):  # each repeats it
            assert "/up/" not in (await cloud.heard.get()).topic
        cloud.tell(
            topics.welcome(GATEWAY),
            Welcome(session=question.session, at_ms=TRUE_MS, to_ms=question.at_ms, waited_ms=HOUR_MS - 20),
        )
        (frame,) = await cloud.frames(1)
    (healed,) = [record for record in frame.records if isinstance(record, ClockHealed)]
    assert abs(frame.readings[0].received_ms - (TRUE_MS - HOUR_MS)) <= healed.error_ms <= 20


@on_a_loop
async def test_nothing_goes_without_the_clouds_word(tmp_path: Path, profiles: ProfileSet) -> None:
    """However long it takes, also where the time is known: this may be an older image of an outbox that has gone on."""
    cloud, clocks = Cloud(), Clocks(TRUE_MS)
    agent = agent_of(tmp_path, profiles, clocks, cloud)
    await tell_time(agent, clocks, TRUE_MS)  # in an earlier session
    agent.outbox.commit(Batch(readings=[reading(agent, 1)], messages=1))
    async with on_line(agent):
        cloud.tell(topics.INGEST, IngestState(online=True, session="i1"))
        for _ in range(2):
            question = await cloud.question()
        clocks.pass_by(HOUR_MS)
        for _ in range(3):
            assert "/up/" not in (await cloud.heard.get()).topic
        cloud.tell(topics.welcome(GATEWAY), Welcome(session=question.session, at_ms=TRUE_MS, to_ms=question.at_ms))
        assert len(await cloud.frames(1)) == 1


@on_a_loop
async def test_a_frame_altered_on_disk_is_dropped_and_declared_and_the_next_one_goes(
    tmp_path: Path, profiles: ProfileSet
) -> None:
    cloud, clocks = Cloud(), Clocks(TRUE_MS)
    agent = agent_of(tmp_path, profiles, clocks, cloud)
    for number in range(3):
        agent.outbox.commit(Batch(readings=[reading(agent, number)], messages=1))
    with sqlite3.connect(tmp_path / "outbox.sqlite") as db:
        altered = db.execute("UPDATE frames SET payload = substr(payload, 1, length(payload) - 9) WHERE seq = 2")
        assert altered.rowcount == 1
    async with on_line(agent):
        cloud.tell(topics.INGEST, IngestState(online=True, session="i1"))
        cloud.answer(await cloud.question())
        frames = await cloud.frames(3)
    assert [frame.header.seq for frame in frames if frame.header.lane == "bulk"] == [1, 3]
    (dropped,) = [record for frame in frames for record in frame.records if isinstance(record, Dropped)]
    assert (dropped.lane, dropped.first_seq, dropped.last_seq, dropped.reason) == ("bulk", 2, 2, "frame_damaged")


class Lot(random.Random):
    """Notes the bounds it is asked for, and lets nobody wait."""

    def __init__(self) -> None:
        super().__init__(1)
        self.bounds: list[tuple[float, float]] = []

    def uniform(self, a: float, b: float) -> float:
        self.bounds.append((a, b))
        return 0.0


class Nowhere(Cloud):
    """There is no broker."""

    async def __aenter__(self) -> "Cloud":
        raise OSError("nobody listens")


@on_a_loop
async def test_pauses_between_attempts_are_drawn_from_all_of_a_growing_bounded_span(
    tmp_path: Path, profiles: ProfileSet
) -> None:
    lot = Lot()
    agent = agent_of(tmp_path, profiles, Clocks(TRUE_MS), Nowhere(), jitter=lambda: lot, reconnect_s_max=1.5)
    async with on_line(agent):
        while len(lot.bounds) < 6:
            await asyncio.sleep(0)
    assert lot.bounds[:6] == [(0, 0.2), (0, 0.4), (0, 0.8), (0, 1.5), (0, 1.5), (0, 1.5)]


@on_a_loop
async def test_a_disk_that_is_full_at_the_start_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with small_disk(tmp_path / "disk", 1024) as disk:
        ballast = disk / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(65_536))
        starting = asyncio.create_task(opened(Settings(gateway_id=GATEWAY, data_dir=str(disk / "edge"))))
        async with asyncio.timeout(20):
            while "outbox can't be opened" not in caplog.text:
                await asyncio.sleep(0.01)
            assert not starting.done()
            ballast.unlink()
            agent = await starting
        agent.outbox.commit(Batch(readings=[reading(agent, 1)], messages=1))
        agent.close()
