"""One charge point's connection: kept up, told what there is to tell, transactions first and in their order."""

import asyncio
import base64
import contextlib
import logging
from collections.abc import Callable, Mapping
from random import Random

from ocpp.exceptions import OCPPError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from simulators.ocpp.clock import Scale, read
from simulators.ocpp.speech16 import Speech16
from simulators.ocpp.speech201 import Speech201
from simulators.ocpp.station import Station

log = logging.getLogger(__name__)

SPEECHES: Mapping[str, tuple[str, type[Speech16] | type[Speech201]]] = {
    "1.6": ("ocpp1.6", Speech16),
    "2.0.1": ("ocpp2.0.1", Speech201),
}
ANSWER_S = 10.0
AGAIN_S_MAX = 2.0
BOOT_S_MAX = 2.0
HEARTBEAT_S = 30.0


class Link:
    """Runs until it is cancelled.

    tick      brings the simulated time up to now: called whenever something has come
    silent    while set, there is no connection, and none can be made
    cut_soon  the connection is cut as soon as the next call has been sent: its answer is lost
    """

    def __init__(
        self, station: Station, url: str, password: str, random: Random, scale: Scale, tick: Callable[[], None]
    ) -> None:
        self.station = station
        self.silent = False
        self.cut_soon = False
        self.changed = asyncio.Event()
        self._url = f"{url.rstrip('/')}/{station.name}"
        self._password = password
        self._random = random
        self._scale = scale
        self._tick = tick
        self._connection: ClientConnection | None = None

    async def run(self) -> None:
        """Stay connected until cancelled, but for the time that the station has no power or the link is cut."""
        tries = 0
        while True:
            if self.station.powered and not self.silent:
                try:
                    await self._hold()
                    tries = 0
                except (OSError, WebSocketException, TimeoutError, OCPPError) as error:
                    log.info("%s: %s", self.station.name, error if str(error) else type(error).__name__)
                    refused = isinstance(error, InvalidHandshake)
                    tries = 5 if refused else 0 if self.station.online else min(tries + 1, 6)
                self._tick()
                self.station.unlinked()
            await asyncio.sleep(self._random.uniform(0.01, min(AGAIN_S_MAX, 0.05 * 2**tries)))  # full jitter

    def cut(self) -> None:
        """The connection is gone, without a word."""
        if self._connection is not None:
            self._connection.transport.abort()

    async def recv(self) -> str:
        """For the speech: the next message."""
        assert self._connection is not None
        message = await self._connection.recv(decode=True)
        self._tick()
        return message

    async def send(self, message: str) -> None:
        """For the speech: send it, and lose the link at once where that is to happen."""
        assert self._connection is not None
        await self._connection.send(message)
        if self.cut_soon and message.startswith("[2"):
            self.cut_soon = False
            await asyncio.sleep(0)  # it is on its way
            self.cut()

    async def _hold(self) -> None:
        protocol, kind = SPEECHES[self.station.version]
        login = base64.b64encode(f"{self.station.name}:{self._password}".encode()).decode()
        async with connect(
            self._url,
            subprotocols=[protocol],  # type: ignore[list-item]
            additional_headers={"Authorization": f"Basic {login}"} if self._password else None,
            compression=None,
            open_timeout=ANSWER_S,
            close_timeout=1.0,
            max_size=65_536,
            proxy=None,
        ) as connection:
            self._connection = connection
            try:
                speech = kind(self.station, self, ANSWER_S, self._scale)
                speech.logger = logging.getLogger("simulators.ocpp.frames")
                hearing = asyncio.create_task(speech.start(), name=f"hear {self.station.name}")
                talking = asyncio.create_task(self._talk(speech), name=f"talk {self.station.name}")
                try:
                    done, _ = await asyncio.wait((hearing, talking), return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
                finally:
                    for task in (hearing, talking):
                        task.cancel()
                    await asyncio.gather(hearing, talking, return_exceptions=True)
            finally:
                self._connection = None

    async def _talk(self, speech: Speech16 | Speech201) -> None:
        while True:
            answer = await speech.boot()
            if answer.status == "Accepted":
                break
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(BOOT_S_MAX, answer.interval)):
                    await speech.boot_again.wait()
        self.station.linked(read(answer.current_time))
        while self.station.powered and not self.silent:
            if speech.boot_again.is_set():
                await speech.boot()
            elif self.station.queue:
                await self._tell_first(speech)
            elif self.station.words:
                notice = self.station.words.popleft()
                try:
                    await speech.tell(notice)
                except OCPPError as error:
                    log.warning("%s: %s refused: %s", self.station.name, notice.kind, error)
            else:
                self.changed.clear()
                try:
                    async with asyncio.timeout(HEARTBEAT_S):
                        await self.changed.wait()
                except TimeoutError:
                    self.station.say("heartbeat")

    async def _tell_first(self, speech: Speech16 | Speech201) -> None:
        notice = self.station.queue[0]
        try:
            await speech.tell(notice)
        except OCPPError as error:  # it was answered: the same again would be refused again
            log.error("%s: %s refused: %s", self.station.name, notice.kind, error)
            self.station.refusals += 1
        if self.station.queue and self.station.queue[0] is notice:
            self.station.queue.popleft()
