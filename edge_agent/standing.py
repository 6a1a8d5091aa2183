"""How the agent is doing: each part with the reason why it is not as it should be, counts, and how full everything is."""

import contextlib
import sqlite3
from asyncio import timeout
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from contracts import VERSION
from edge_agent.applying import Applying
from edge_agent.clock import GatewayClock
from edge_agent.intake import Intake
from edge_agent.machine import resident_bytes
from edge_agent.outbox.fill import FillRate, hours_until_full
from edge_agent.outbox.writer import OutboxWriter
from edge_agent.settings import Settings
from edge_agent.southbound import Southbound
from edge_agent.uplink import SendWindow, Uplink

if TYPE_CHECKING:
    from edge_agent.ocpp.central import Central

LOST = {
    "broker_only": "its broker confirms what is said, its ingest does not answer; frames wait",
    "down_only": "the way up is lost: the cloud is heard, and confirms nothing",
    "silent": "nothing is heard of it: the way down is lost, or the whole link",
}
"""The link's word -> what it means, where a session is there and does not work."""
LOOK_S = 1.0
"""So long the outbox is waited for when somebody asks."""
NEEDED = ("local_broker", "outbox")
"""Parts without which the agent is not ready. Without the cloud it is: it keeps what it reads."""


class Standing:
    """Reads the agent's parts; changes nothing."""

    def __init__(
        self,
        settings: Settings,
        writer: OutboxWriter,
        intake: Intake,
        southbound: Southbound,
        uplink: Uplink,
        window: SendWindow,
        clock: GatewayClock,
        now_ms: Callable[[], int],
        applying: Applying,
        central: "Central | None" = None,
        shut_out: Callable[[], str] = lambda: "",
    ) -> None:
        self._settings = settings
        self._writer = writer
        self._intake = intake
        self._southbound = southbound
        self._uplink = uplink
        self._window = window
        self._clock = clock
        self._now_ms = now_ms
        self._applying = applying
        self._central = central
        self._shut_out = shut_out
        self._fill = FillRate()
        self._oldest_unacked_ms: int | None = None

    def note_fill(self, steady_ms: int) -> None:
        """To be called every few seconds: how fast does the outbox fill?"""
        self._fill.seen(self._writer.outbox.unacked_bytes, steady_ms)

    def hours_until_full(self) -> float | None:
        """At the present rate; None when it does not fill."""
        return hours_until_full(self._writer.outbox.room_bytes, self._fill.bytes_per_s)

    def parts(self) -> dict[str, str]:
        """Each part and why it is not as it should be, "" when it is."""
        cloud = "" if self._uplink.connected else self._shut_out() or self._uplink.failing or "not connected yet"
        if self._uplink.fenced:
            cloud = "another instance of this gateway is alive; this one waits and keeps what it reads"
        elif not cloud and (lost := LOST.get(self._uplink.link)):
            cloud = lost
        elif not cloud and not self._uplink.ingest_online:
            cloud = "its broker is there, its ingest is not; frames wait"
        resting = self._intake.profiles.guard.resting()
        local = "" if self._southbound.connected else self._southbound.failing or "not connected yet"
        charging = {"charge_points": self._central.hindrance()} if self._central is not None else {}
        return {
            "local_broker": local,
            "outbox": self._writer.failing,
            "cloud": cloud,
            "profiles": "; ".join(
                [f"{profile} is too slow and rests, for {left_s} s still" for profile, left_s in resting.items()]
            ),
            "clock": "" if self._clock.sure else "the cloud has not confirmed the time since the machine's start",
            **charging,
        }

    async def look(self) -> dict[str, Any]:
        """``status``, with the age of the oldest frame asked for now; its last known one while the outbox is busy."""
        with contextlib.suppress(TimeoutError, sqlite3.Error):
            async with timeout(LOOK_S):
                self._oldest_unacked_ms = await self._writer.call(self._writer.outbox.oldest_unacked_ms)
        return self.status()

    def status(self) -> dict[str, Any]:
        """What the health door and `edge-agent status` show."""
        outbox = self._writer.outbox
        lanes = [*outbox.lanes.values(), *outbox.ended]
        intake, uplink = self._intake, self._uplink
        oldest_ms = self._oldest_unacked_ms
        parts = self.parts()
        return {
            "gateway": self._settings.gateway_id,
            "version": VERSION,
            "epoch": outbox.epoch,
            "ready": {part: not parts[part] for part in NEEDED},
            "parts": parts,
            "ready_by_part": {part: int(not reason) for part, reason in parts.items()},
            "cloud": {
                "connected": uplink.connected,
                "ingest_online": uplink.ingest_online,
                "link": uplink.link,
                "not_fenced": not uplink.fenced,
            },
            "counters": {
                "messages": intake.messages,
                "readings": intake.readings,
                "samples": intake.samples,
                "repeats": intake.repeats,
                "commits": self._writer.pending.number - 1,
                "frames_sent": uplink.frames.frames_sent,
                "frames_sent_again": uplink.frames.frames_sent_again,
                "frames_acked": uplink.frames.frames_acked,
                "conflicts": uplink.conflicts,
                "bytes_sent": uplink.frames.bytes_sent,
                "cloud_sessions": uplink.sessions,
                "local_sessions": self._southbound.sessions,
                "charge_point_calls": self._central.calls if self._central else 0,
            },
            "gauges": {
                "buffered_samples": sum(lane.buffered for lane in lanes),
                "dropped_samples": sum(lane.dropped for lane in lanes),
                "oldest_unacked_age_ms": max(0, self._now_ms() - oldest_ms) if oldest_ms is not None else 0,
                "outbox_bytes": outbox.held_bytes,
                "outbox_unacked_bytes": outbox.unacked_bytes,
                "outbox_bytes_max": self._settings.outbox_bytes_max,
                "outbox_room_bytes": outbox.room_bytes,
                "outbox_fill_bytes_per_s": round(self._fill.bytes_per_s, 1),
                "outbox_hours_until_full": self.hours_until_full(),
                "intake_waiting_messages": intake.waiting,
                "intake_messages_max": self._settings.intake_messages_max,
                "backlog_frames": self._window.backlog_frames,
                "frames_in_flight": self._window.in_flight,
                "window_frames": self._window.frames_now,
                "resend_after_ms": self._window.resend_after_ms,
                "window_frames_max": self._settings.window_frames_max,
                "devices": len(intake.devices),
                "clock_sure": int(self._clock.sure),
                "clock_error_ms": self._clock.error_ms if self._clock.sure else None,
                "fenced": int(uplink.fenced),
                "cloud_connected": int(uplink.connected),
                "local_broker_connected": int(self._southbound.connected),
                "charge_points": len(self._central.site.points) if self._central else 0,
                "charge_points_connected": len(self._central.links) if self._central else 0,
                "charging_transactions": len(self._central.site.book.open) if self._central else 0,
                "resident_bytes": resident_bytes(),
            },
            "refused": dict(intake.refusals),
            "charge_points_refused": dict(self._central.refused) if self._central else {},
            "charge_points": self._central.status() if self._central else [],
            "given_up": dict(outbox.given_up),
            "lanes": [msgspec.to_builtins(lane) for lane in lanes],
            "desired_version": self._applying.desired.version,
            "profiles": {
                "travelled": {name: each.version for name, each in self._applying.now.taken.items()},
                "refused": dict(self._applying.now.refused),
            },
        }
