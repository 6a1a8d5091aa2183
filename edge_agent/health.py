"""The agent's small HTTP door on loopback: /healthz, /readyz, /metrics, /status. Answers GET, a request a connection."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

REQUEST_BYTES_MAX = 4_096
REQUEST_TIMEOUT_S = 5.0

Status = dict[str, Any]


class StatusCollector(Collector):
    """Prometheus metrics out of the status document: every number in it is a metric, counters end in _total."""

    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status

    def collect(self) -> Any:
        """Called by generate_latest."""
        status = self._status()
        for name, value in status["counters"].items():
            yield CounterMetricFamily(f"linli_edge_{name}", name.replace("_", " "), value=value)
        for name, value in status["gauges"].items():
            yield GaugeMetricFamily(f"linli_edge_{name}", name.replace("_", " "), value=float(value))
        refused = CounterMetricFamily("linli_edge_refused", "messages that could not be read", labels=["reason"])
        for reason, count in status["refused"].items():
            refused.add_metric([reason], count)
        yield refused


async def serve_health(host: str, port: int, status: Callable[[], Status], listening: Callable[[int], None]) -> None:
    """Serve until cancelled. ``listening`` is told the port, which matters when 0 was asked for."""
    registry = CollectorRegistry()
    registry.register(StatusCollector(status))

    def answer(path: str) -> tuple[int, str, bytes]:
        if path == "/healthz":
            return 200, "text/plain", b"ok\n"
        if path == "/readyz":
            ready = status()["ready"]
            return 200 if all(ready.values()) else 503, "application/json", msgspec.json.encode(ready)
        if path == "/metrics":
            return 200, "text/plain; version=0.0.4", generate_latest(registry)
        if path == "/status":
            return 200, "application/json", msgspec.json.encode(status())
        return 404, "text/plain", b"there are /healthz, /readyz, /metrics and /status\n"

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                request = await reader.readuntil(b"\r\n\r\n")
                parts = request.split(b" ", 2)
                path = parts[1].decode("latin-1").partition("?")[0] if len(parts) > 2 else ""
                code, kind, body = answer(path) if parts[0] == b"GET" else (405, "text/plain", b"GET only\n")
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
