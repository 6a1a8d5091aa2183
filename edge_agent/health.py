"""The agent's HTTP door on loopback: /healthz, /readyz, /metrics, /status, /discoveries. GET, one a connection."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry, generate_latest

from contracts.messages import Discovered

REQUEST_BYTES_MAX = 4_096
REQUEST_TIMEOUT_S = 5.0

Status = dict[str, Any]


async def serve_health(
    host: str,
    port: int,
    look: Callable[[], Awaitable[Status]],
    discoveries: Callable[[], list[Discovered]],
    metrics: CollectorRegistry,
    listening: Callable[[int], None],
) -> None:
    """Serve until cancelled. ``listening`` is told the port, which matters when 0 was asked for."""

    async def answer(path: str) -> tuple[int, str, bytes]:
        if path == "/healthz":
            return 200, "text/plain", b"ok\n"
        if path == "/readyz":
            status = await look()
            ready = all(status["ready"].values())
            states = {part: reason or "ready" for part, reason in status["parts"].items()}
            return 200 if ready else 503, "application/json", msgspec.json.encode({"ready": ready, "parts": states})
        if path == "/metrics":
            await look()
            return 200, "text/plain; version=0.0.4", generate_latest(metrics)
        if path == "/status":
            return 200, "application/json", msgspec.json.encode(await look())
        if path == "/discoveries":
            return 200, "application/json", msgspec.json.encode(discoveries())
        return 404, "text/plain", b"there are /healthz, /readyz, /metrics, /status and /discoveries\n"

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                request = await reader.readuntil(b"\r\n\r\n")
                parts = request.split(b" ", 2)
                path = parts[1].decode("latin-1").partition("?")[0] if len(parts) > 2 else ""
                is_get = parts[0] == b"GET"
                code, kind, body = await answer(path) if is_get else (405, "text/plain", b"GET only\n")
                head = f"HTTP/1.1 {code} \r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked has gone, or did not speak HTTP
        finally:
            writer.close()

    server = await asyncio.start_server(handle, host, port, limit=REQUEST_BYTES_MAX)
    listening(server.sockets[0].getsockname()[1])
    async with server:
        await server.serve_forever()
