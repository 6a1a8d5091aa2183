"""The MQTT client of both programs: aiomqtt's, with waits that can always be cancelled, and many packets a read."""

import asyncio
import math
from collections.abc import Awaitable
from typing import Any, TypeVar

import aiomqtt

from contracts.buffered_socket import BufferedSocket

Answer = TypeVar("Answer")


class MqttClient(aiomqtt.Client):
    """See aiomqtt. Its waits use asyncio.wait_for, which up to Python 3.11 loses a cancellation that comes together with
    what is waited for: whoever publishes in a loop would then not hear that the program wants to end.
    """

    async def _wait_for(self, fut: Awaitable[Answer], timeout: float | None) -> Answer:
        bound_s = self.timeout if timeout is None else timeout
        try:
            async with asyncio.timeout(None if bound_s == math.inf else bound_s):
                return await fut
        except TimeoutError:
            raise aiomqtt.MqttError("Operation timed out") from None

    def _on_socket_open(self, client: Any, userdata: Any, sock: Any) -> None:
        """aiomqtt reads one packet each time the loop comes round, and all that is pending of a socket that says so."""
        client._sock = BufferedSocket(sock)
        super()._on_socket_open(client, userdata, sock)
