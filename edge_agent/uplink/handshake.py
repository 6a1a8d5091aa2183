"""Before frames go, the cloud is asked: what is the time, am I the only instance, what do you hold of my epochs, what do
you lack. It is asked again now and then, and whenever another ingest is there.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

import msgspec

from contracts import topics
from contracts.messages import GatewayState, IngestState, Welcome
from edge_agent.outbox.writer import OutboxWriter
from edge_agent.uplink.acks import AckNotes
from edge_agent.uplink.earlier import EarlierSender
from edge_agent.uplink.hearing import Hearing
from edge_agent.uplink.judgement import held_lanes, is_copied, questioned
from edge_agent.uplink.line import Line
from edge_agent.uplink.sender import FrameSender
from edge_agent.uplink.window import SendWindow

log = logging.getLogger(__name__)

ASK_HEARTBEATS = 6
"""With every so many heartbeats the cloud is asked for the time and for what it lacks."""
ASKED_KEPT = 4


class Fenced(Exception):
    """Another instance of this gateway is alive: the cloud does not want to hear us now."""


class Handshake:
    """Lets frames go, and holds them back while the cloud's ingest is away or an answer is awaited.

    state    gives the GatewayState to publish (what is of the session is set here)
    on_time  called with (the cloud's time ms UTC, steady ms of question and of answer); awaited before frames are sent
    """

    def __init__(
        self,
        gateway: str,
        writer: OutboxWriter,
        window: SendWindow,
        frames: FrameSender,
        earlier: EarlierSender,
        acks: AckNotes,
        hearing: Hearing,
        state: Callable[[], GatewayState],
        on_time: Callable[[int, int, int], Awaitable[None]],
        monotonic_ms: Callable[[], int],
        heartbeat_s: float,
    ) -> None:
        self.ingest_online = False
        self.fenced = False
        self._gateway = gateway
        self._writer = writer
        self._window = window
        self._frames = frames
        self._earlier = earlier
        self._acks = acks
        self._hearing = hearing
        self._state = state
        self._on_time = on_time
        self._monotonic_ms = monotonic_ms
        self._heartbeat_s = heartbeat_s
        self._encoder = msgspec.msgpack.Encoder()
        self._say_state = asyncio.Event()
        self._session_begins("")

    def _session_begins(self, session: str) -> None:
        self._session = session
        self._ingest = ""  # the session of the ingest that has last said it is there
        self._asked: dict[int, int] = {}  # at_ms of a state that asks -> steady ms
        self._waiting_since_ms: int | None = None  # since when an answer is awaited before frames may go
        self._ingest_heard = False  # in this session

    def lost(self) -> None:
        """The session has ended."""
        self.ingest_online = False
        self._session_begins("")
        self._frames.stop()

    def ask(self) -> None:
        """No frame goes before the cloud has answered, however long that takes.

        Only its word tells whether this outbox is an older image of one that has gone on (its numbers would be taken for
        those already there, and lost), and times that an unsure clock took are not to be moved once they were sent.
        """
        self._frames.stop()
        self._waiting_since_ms = self._monotonic_ms()
        self._say_state.set()

    def leaving(self, session: str) -> GatewayState:
        """The death of an agent that leaves: with the time, unlike the will, so that another instance need not wait."""
        return GatewayState(online=False, session=session, at_ms=self._state().at_ms)

    async def run(self, line: Line, session: str, tasks: asyncio.TaskGroup) -> None:
        """State now and then; it asks for an answer at first, while one is awaited, and now and then."""
        self._session = session
        ask_ms = int(ASK_HEARTBEATS * self._heartbeat_s * 1000)
        asked_ms = self._monotonic_ms() - ask_ms
        while True:
            self._say_state.clear()
            now_ms = self._monotonic_ms()
            state = self._state()
            state.session = session
            state.ask = self._waiting_since_ms is not None or now_ms - asked_ms >= ask_ms
            state.heartbeat_ms = int(self._heartbeat_s * 1000)
            state.unheard_ms = self._hearing.unheard_ms(now_ms, self._window.answer_ms)
            if state.ask:
                asked_ms = now_ms
                self._asked[state.at_ms] = now_ms
                while len(self._asked) > ASKED_KEPT:
                    del self._asked[next(iter(self._asked))]
            # Not waited for: where nothing comes down, PUBACKs neither, it must still be said.
            said = line.say(topics.state(self._gateway), self._encoder.encode(state), state.ask, retain=True)
            tasks.create_task(said, name="state")
            waiting = self._waiting_since_ms is not None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(self._heartbeat_s, 1.0) if waiting else self._heartbeat_s):
                    await self._say_state.wait()
            if not self._ingest_heard:
                # What is retained comes with a subscription only, and not to who may not read it yet: ask again.
                await line.subscribe()

    def on_ingest(self, state: IngestState) -> None:
        """An ingest says that it is there, or its will that it is not."""
        self._ingest_heard = True
        if state.online == self.ingest_online and state.session == self._ingest:
            return  # it says again that it is there
        if not state.online and state.session != self._ingest:
            return  # the death of an earlier one, come late
        self.ingest_online = state.online
        self._ingest = state.session
        if state.online:
            # A new ingest may not have what the old one had in its hands, and may have another disk: ask first.
            self.ask()
        else:
            self._frames.stop()

    async def on_welcome(self, welcome: Welcome) -> None:
        """The cloud has answered. Raises Fenced, sqlite3.Error."""
        asked_ms = self._asked.pop(welcome.to_ms, None)
        if welcome.session != self._session or asked_ms is None:
            return
        self.fenced = welcome.fenced
        if welcome.fenced:
            raise Fenced
        await self._on_time(welcome.at_ms, asked_ms, self._monotonic_ms())
        await self._acks.write()  # what the cloud wants again may be what it had acknowledged
        outbox = self._writer.outbox
        held = held_lanes(welcome, outbox.epoch)
        frames = {place: await self._writer.call(outbox.read, *place) for place in questioned(held, outbox.lanes)}
        if is_copied(held, outbox.lanes, frames):
            log.error("the cloud holds other frames of this epoch; beginning a new one", extra={"epoch": outbox.epoch})
            self._frames.stop()
            again_after = {lane: there.last_seq for lane, there in held.items()}
            await self._writer.call(outbox.epochs.begin, "copied", again_after)
            if self._waiting_since_ms is None:
                self._waiting_since_ms = asked_ms
        else:
            for lane, there in held.items():
                if there.wanted:
                    log.warning("the cloud asks for frames again", extra={"lane": lane, "ranges": there.wanted[:8]})
                    await self._writer.call(outbox.wanted, there.epoch, lane, there.wanted)
                    if self._waiting_since_ms is None:
                        await self._frames.look_back(lane)
            for there in [each for each in welcome.lanes if each.epoch != outbox.epoch and each.wanted]:
                log.warning("the cloud asks for frames of an ended epoch again", extra={"epoch": there.epoch})
                await self._writer.call(outbox.wanted, there.epoch, there.lane, there.wanted)
                self._earlier.look_again()
        if self._waiting_since_ms is not None and self.ingest_online:
            self._waiting_since_ms = None
            await self._frames.begin()
            self._earlier.begin()
