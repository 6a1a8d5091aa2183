"""`GET live`: server-sent events. A snapshot first, then what changes; Last-Event-ID resumes."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Annotated, Any, NamedTuple

import msgspec
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from cloud_api.live.hub import Event, Source, Subscription
from cloud_api.live.json import metrics_in_json
from cloud_api.live.latest import LiveValue
from cloud_api.live.state import LiveState
from cloud_api.names import KindOfFacility
from cloud_api.people.access import CallerDep, needs, still_there
from cloud_api.people.roles import Permission
from cloud_api.problems import RETRY_AFTER_S, Problem, responses
from device_registry import UNAVAILABLE, SourceSpan

log = logging.getLogger(__name__)

SNAPSHOT_DEVICES = 200
HEARTBEAT_S = 15.0
DEVICES_REFRESH_S = 2.0
STREAMS_MAX = 2_000
STREAMS_OF_ONE_MAX = 1_000
"""Open at once, and those of one caller: he can't keep all others from theirs."""

Spans = Sequence[SourceSpan]


class Seen(NamedTuple):
    """What a watcher may see now. devices: each with its sources; gateways: None for all."""

    devices: Mapping[str, Spans]
    gateways: frozenset[str] | None


Find = Callable[[Mapping[str, str]], Awaitable[Seen]]
"""Filters of the query (as for devices) -> what they mean, within what the caller may see."""

Doubts = Callable[[Spans], Mapping[str, str]]
"""A device's sources -> metric -> why its value is not believed."""


class Watch:
    """One browser's stream. Which devices its filters mean is looked up again now and then: more may be adopted.

    hears_commands  whether what is commanded is told too
    still_there     whether the watcher may still see what it could at first; once not, the stream ends
    """

    def __init__(
        self, live: LiveState, doubts: Doubts, find: Find, where: Mapping[str, str], clock: Callable[[], int],
        hears_commands: bool, still_there: Callable[[], Awaitable[bool]],
    ) -> None:  # fmt: skip
        self._live = live
        self._doubts = doubts
        self._find = find
        self._where = where
        self._clock = clock
        self._hears_commands = hears_commands
        self._still_there = still_there
        self._devices: Mapping[str, Spans] = {}
        self._at: dict[Source, list[str]] = {}  # which devices have, or had, this source
        self._gateways: frozenset[str] | None = frozenset()

    async def events(self, last_id: str) -> AsyncGenerator[bytes]:
        """The stream's bytes, for as long as it is read."""
        await self._look_up()
        subscription, resumed = self._live.hub.subscribe(self._wanted, last_id)
        refresh = asyncio.create_task(self._refresh(subscription))
        try:
            if not resumed:
                for chunk in self._snapshot(list(self._devices)):
                    yield chunk
            loop = asyncio.get_running_loop()
            beat_at = loop.time() + HEARTBEAT_S
            while True:
                chunk = b""
                try:
                    async with asyncio.timeout_at(beat_at):
                        events = await subscription.take()
                except TimeoutError:
                    # An event, not a comment: scripts see no comments, and a browser shall notice a link gone silent.
                    chunk = b'event: beat\ndata: {"now_ms":%d}\n\n' % self._clock()
                else:
                    if subscription.overflown or subscription.ended:
                        return  # the browser connects again and gets a snapshot, if it still may
                    chunk = b"".join([part for event in events if (part := self._in_bytes(event))])
                if chunk:  # what happens elsewhere is nothing here: it must not put off the beat
                    beat_at = loop.time() + HEARTBEAT_S
                    yield chunk
        finally:
            refresh.cancel()
            self._live.hub.leave(subscription)

    async def _refresh(self, subscription: Subscription) -> None:
        while True:
            await asyncio.sleep(DEVICES_REFRESH_S)
            try:
                if not await self._still_there():
                    subscription.end()
                    return
                await self._look_up()
            except UNAVAILABLE as error:  # nobody's rights change while the database is away
                log.warning("what a watcher may see can't be looked up", extra={"error": str(error)})

    async def _look_up(self) -> None:
        self._devices, self._gateways = await self._find(self._where)
        self._at = {}
        for device, spans in self._devices.items():
            for span in spans:
                self._at.setdefault(span.source, []).append(device)

    def _wanted(self, event: Event) -> bool:
        # A state is looked at when it is written: its device may be adopted a moment after its first value.
        if event.kind == "command":
            return self._hears_commands and event.data["device_id"] in self._devices
        if event.kind == "gateway":
            is_seen = self._gateways is None or event.data["gateway_id"] in self._gateways
            return is_seen and not self._where.get("device")
        if self._where.get("device"):
            return event.source in self._at  # it is there already: what all others say is not kept waiting for it
        return True

    def _snapshot(self, ids: list[str]) -> list[bytes]:
        now_ms = self._clock()
        chunks = []
        for at in range(0, max(1, len(ids)), SNAPSHOT_DEVICES):
            devices = [
                self._in_json(device, self._live.state_of(self._devices[device]), now_ms)
                for device in ids[at : at + SNAPSHOT_DEVICES]
            ]
            chunks.append(_frame("snapshot", self._live.hub.last_id, {"now_ms": now_ms, "devices": devices}))
        return chunks

    def _in_json(self, device: str, metrics: Mapping[str, LiveValue], now_ms: int) -> dict[str, Any]:
        return {"device_id": device, "metrics": metrics_in_json(metrics, now_ms, self._doubts(self._devices[device]))}

    def _in_bytes(self, event: Event) -> bytes:
        number = self._live.hub.id_of(event)
        if event.source is None:
            return _frame(event.kind, number, event.data)
        return b"".join(
            _frame(event.kind, number, self._in_json(device, metrics, self._clock()))
            for device in self._at.get(event.source, ())
            if (metrics := self._news(event, self._devices[device]))
        )

    def _news(self, event: Event, spans: Spans) -> Mapping[str, LiveValue]:
        """What of this is the device's present: not what comes late from where it was, nor another's who is there now."""
        if len(spans) == 1 and spans[0].is_whole:
            return event.metrics
        state = self._live.state_of(spans)
        return {metric: value for metric, value in event.metrics.items() if state.get(metric) == value}


def _frame(kind: str, number: str, data: Mapping[str, Any]) -> bytes:
    return b"event: %b\nid: %b\ndata: %b\n\n" % (kind.encode(), number.encode(), msgspec.json.encode(data))


Filter = Annotated[str, Query(max_length=63)]
"""An id, no longer than one can be: what no row can have must be refused before the stream begins."""


def router(live: LiveState, doubts: Doubts, find: Find, clock: Callable[[], int]) -> APIRouter:
    """The route. ``find`` resolves the filters."""
    routes = APIRouter(tags=["live"])
    open_of: Counter[str] = Counter()

    async def counted(user_id: str, stream: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
        open_of[user_id] += 1
        try:
            async with aclosing(stream):
                async for chunk in stream:
                    yield chunk
        finally:
            open_of[user_id] -= 1
            if not open_of[user_id]:
                del open_of[user_id]

    @routes.get(
        "/live",
        summary="Live stream",
        response_class=StreamingResponse,
        responses={
            200: {
                "description": "Events snapshot, state, command, gateway, beat",
                "content": {"text/event-stream": {}},
            },
            **responses("too_many_streams"),
        },
        openapi_extra=needs(Permission.SEE),
    )
    async def get_live(
        request: Request,
        caller: CallerDep,
        community: Filter = "",
        facility: Filter = "",
        kind: KindOfFacility | None = None,
        gateway: Filter = "",
        device: Annotated[str, Query(max_length=20)] = "",
        last_event_id: Annotated[str, Header()] = "",
    ) -> StreamingResponse:
        """Server-sent events: `snapshot`, then `state`, `command` and `gateway` as they happen; `beat` after 15 s of none."""
        if live.hub.watchers >= STREAMS_MAX or open_of[caller.user_id] >= STREAMS_OF_ONE_MAX:
            retry = {"Retry-After": str(RETRY_AFTER_S)}
            raise Problem("too_many_streams", "close others first, or try again", headers=retry)
        where = {
            "community": community,
            "facility": facility,
            "kind": kind or "",
            "gateway": gateway,
            "device": device,
        }
        hears = caller.where(Permission.COMMAND) == caller.where(Permission.SEE)
        still = still_there(request, Permission.SEE)
        stream = Watch(live, doubts, find, where, clock, hears, still).events(last_event_id)
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return StreamingResponse(counted(caller.user_id, stream), media_type="text/event-stream", headers=headers)

    return routes
