"""One charge point's connection: OCPP-J frames in and out, a call at a time each way, everything bounded."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from edge_agent.ocpp.validation import CallRefused, check_call, malformed
from edge_agent.quota import Quota

log = logging.getLogger(__name__)

CALL, RESULT, ERROR = 2, 3, 4
UNIQUE_ID_LENGTH_MAX = 36
ANSWER_S = 30.0
"""So long a charge point may take to answer a call."""
WAITING_MAX = 16
"""Calls that may wait for their turn; more are refused."""
PAUSE_S = 0.05

Answer = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""(action, payload) -> the payload of the answer. Raises CallRefused."""


class NotAnswered(Exception):
    """The charge point did not answer a call of ours; whether it acted on it is not known."""


class Link:
    """The connection of one charge point.

    answer   gives the answer to a call that fits its schema; it is sent when this returns
    refused  told of what was answered with an error: (message as it came, code, reason)
    quota    how much a charge point may say; beyond it, it is read more slowly
    """

    def __init__(
        self,
        charge_point: str,
        version: str,
        connection: ServerConnection,
        answer: Answer,
        refused: Callable[[bytes, str, str], None],
        quota: Quota,
        steady_ms: Callable[[], int],
    ) -> None:
        self.charge_point = charge_point
        self.version = version
        self.heard_ms = steady_ms()
        self._connection = connection
        self._answer = answer
        self._refused = refused
        self._quota = quota
        self._steady_ms = steady_ms
        self.spoke = asyncio.Event()
        """It has said something that was answered: from now on it may be asked."""
        self.replaced = False
        """The charge point has another connection by now: whatever still stands in this one is not taken."""
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._asked: dict[str, asyncio.Future[dict[str, Any]]] = {}

    async def serve(self) -> None:
        """Answer what comes, in its order, until the connection ends."""
        try:
            async for raw in self._connection:
                if self.replaced:
                    break  # what was not answered comes again on the new one, and what comes late would be out of order
                while not self._quota.allows(self.charge_point, self._steady_ms()):
                    await asyncio.sleep(PAUSE_S)  # not read: the charge point's own sending comes to a halt
                self.heard_ms = self._steady_ms()
                await self._take(raw)
        except ConnectionClosed:
            pass
        finally:
            for asked in self._asked.values():
                if not asked.done():
                    asked.set_exception(NotAnswered("connection lost"))
                    asked.exception()  # nobody may be waiting any more

    async def close(self, reason: str) -> None:
        """End the connection."""
        await self._connection.close(1001, reason)

    async def _take(self, raw: str | bytes) -> None:
        data = raw.encode() if isinstance(raw, str) else raw
        frame = _frame(data) if isinstance(raw, str) else []
        unique_id = frame[1] if len(frame) > 2 and isinstance(frame[1], str) else ""
        known = 0 < len(unique_id) <= UNIQUE_ID_LENGTH_MAX
        if known and frame[0] == CALL:
            await self._take_call(data, frame)
        elif known and frame[0] in (RESULT, ERROR):
            self._take_answer(frame)
        else:
            await self._refuse(data, unique_id if known else "-1", malformed(self.version), "not an OCPP-J message")

    async def _take_call(self, data: bytes, frame: list[Any]) -> None:
        unique_id = frame[1]
        try:
            if len(frame) != 4 or not isinstance(frame[2], str) or not isinstance(frame[3], dict):
                raise CallRefused(malformed(self.version), "a call is [2, id, action, {payload}]")
            if not frame[2].isalnum():
                raise CallRefused("NotImplemented", "no such action")
            check_call(frame[2], frame[3], self.version)
            answer = await self._answer(frame[2], frame[3])
        except CallRefused as error:
            await self._refuse(data, unique_id, error.code, str(error))
        else:
            await self._send([RESULT, unique_id, answer])
            self.spoke.set()

    async def _refuse(self, data: bytes, unique_id: str, code: str, reason: str) -> None:
        self._refused(data, code, reason)
        await self._send([ERROR, unique_id, code, reason, {}])

    def _take_answer(self, frame: list[Any]) -> None:
        asked = self._asked.get(frame[1])
        if asked is None or asked.done():
            return  # to a call that was given up
        if frame[0] == RESULT and isinstance(frame[2], dict):
            asked.set_result(frame[2])
        else:
            asked.set_exception(CallRefused(str(frame[2])[:64], str(frame[3] if len(frame) > 3 else "")))

    async def call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Ask the charge point for something; one call at a time.

        Returns the payload of its answer. Raises CallRefused (it answered with an error, or too many calls wait) and
        NotAnswered.
        """
        if self._waiting >= WAITING_MAX:
            raise CallRefused("Busy", "too many calls wait for this charge point")
        self._waiting += 1
        try:
            async with self._turn:
                return await self._ask(action, payload)
        finally:
            self._waiting -= 1

    async def _ask(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        unique_id = str(uuid4())
        asked = self._asked[unique_id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._connection.send(msgspec.json.encode([CALL, unique_id, action, payload]).decode())
                result: dict[str, Any] = await asked
                return result
        except (TimeoutError, ConnectionClosed) as error:
            raise NotAnswered(str(error) or "no answer") from error
        finally:
            del self._asked[unique_id]

    async def _send(self, frame: list[Any]) -> None:
        await self._connection.send(msgspec.json.encode(frame).decode())


def _frame(data: bytes) -> list[Any]:
    """The array that an OCPP-J message is; empty when it is none."""
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return []
    return found if isinstance(found, list) else []
