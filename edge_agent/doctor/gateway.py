"""Checks of the gateway itself: data directory, disk, outbox file, clock, profiles, the running agent. They only read."""

import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from edge_agent.clock import FLOOR_MS, Kept
from edge_agent.doctor.finding import Finding
from edge_agent.outbox.file import VERSION
from edge_agent.outbox.room import Disk, Limits, floor_bytes
from edge_agent.profiles import SHIPPED, ProfileError
from edge_agent.profiles.faults import check_files

HOUR_MS = 3_600_000
HOURS_FEW = 24.0
CLOCK_OFF_MS = 60_000


def check_folder(data_dir: Path) -> Finding:
    """Can the agent write where it keeps its outbox? A folder that is not there yet is made by the agent."""
    place = data_dir
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".doctor-") as file:
            file.write(b"x" * 4096)
            file.flush()
    except OSError as error:
        then = f"give the agent's user the right to write to {place}, and see that its disk is not full or read-only"
        return Finding("data directory", "fail", f"{data_dir} can't be written: {error.strerror}", then)
    return Finding("data directory", "ok", f"{data_dir} can be written")


def bytes_an_hour(path: Path) -> float:
    """How much the outbox has grown an hour, over its newest thousand frames; 0 when there is too little to say."""
    db = _read_only(path)
    try:
        count, size, first_ms, last_ms = db.execute(
            "SELECT count(*), sum(length(payload)), min(born_ms), max(born_ms) FROM "
            "(SELECT payload, born_ms FROM frames ORDER BY rowid DESC LIMIT 1000)"
        ).fetchone()
    finally:
        db.close()
    return size * HOUR_MS / (last_ms - first_ms) if count > 1 and last_ms > first_ms else 0.0


def check_room(disk: Disk, limits: Limits, held_bytes: int, hourly_bytes: float) -> Finding:
    """How long the gateway can do without the cloud before it has to drop something."""
    floor = floor_bytes(limits, disk)
    shown = f"{disk.free_bytes / 1e6:,.0f} MB free of {disk.size_bytes / 1e6:,.0f}"
    if disk.free_bytes < floor:
        text = f"{shown}, less than the {floor / 1e6:,.0f} MB that have to stay free: readings are being given up"
        return Finding("disk space", "fail", text, "free some of the disk")
    room = min(disk.free_bytes - floor, limits.bytes_max - held_bytes)
    if not hourly_bytes:
        return Finding("disk space", "ok", f"{shown}; too little was read yet to say for how long that lasts")
    hours = max(0.0, room / hourly_bytes)
    text = f"{shown}; without the cloud it is full in {hours:,.0f} hours"
    if hours < HOURS_FEW:
        then = "free some of the disk, or raise LINLI_OUTBOX_BYTES_MAX if the disk has room"
        return Finding("disk space", "warn", text, then)
    return Finding("disk space", "ok", text)


def check_outbox(path: Path) -> Finding:
    """Is the outbox file sound, and of a version that this agent knows?"""
    if not path.exists():
        return Finding("outbox file", "ok", "there is none yet; the agent makes it when it starts")
    try:
        db = _read_only(path)
        try:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            db.close()
    except sqlite3.Error as error:
        version, verdict = VERSION, str(error)
    if verdict != "ok":
        then = "restart the agent: it sets the file aside, keeps what can be read and declares the rest; then see to the disk"
        return Finding("outbox file", "fail", f"{path} is damaged: {verdict}", then)
    if version > VERSION:
        text = f"{path} is of version {version}, this agent knows {VERSION}"
        return Finding("outbox file", "fail", text, "install the newer agent again")
    return Finding("outbox file", "ok", f"sound, version {version}")


def check_clock(wall_ms: int, steady_ms: int, boot: str, kept: Kept | None) -> Finding:
    """This machine's clock, against the cloud's word and against what is possible at all."""
    if kept is not None and kept.boot == boot and kept.error_ms >= 0:
        off_ms = wall_ms - (steady_ms + kept.offset_ms)
        if abs(off_ms) > CLOCK_OFF_MS:
            text = f"this machine's clock is {off_ms / 1000:+,.0f} s off the cloud's"
            return Finding(
                "clock", "warn", text, "set up time synchronisation; Linli goes by the cloud's time meanwhile"
            )
        return Finding("clock", "ok", f"within {abs(off_ms) + kept.error_ms:,} ms of the cloud's")
    if wall_ms < max(FLOOR_MS, kept.now_ms if kept else 0) - CLOCK_OFF_MS:
        then = "set the clock; Linli connects all the same, and heals times once the cloud has told it"
        return Finding("clock", "warn", "this machine's clock is in the past", then)
    return Finding("clock", "ok", "plausible; the cloud has not told the time since this machine was started")


def check_profiles(own: str) -> Finding:
    """Do the shipped profiles and the site's own load, and hold what their examples promise?"""
    try:
        files = [SHIPPED] if not own else [SHIPPED, Path(own)]
        problems = check_files(files)
    except (ProfileError, OSError) as error:
        problems = [str(error)]
    if problems:
        text = f"{len(problems)} do not hold: {problems[0]}"
        return Finding("profiles", "fail", text, "mend it; edge-agent profile check FILE shows everything")
    return Finding("profiles", "ok", "all load, and their examples hold")


def check_agent(status: dict[str, Any] | None) -> list[Finding]:
    """Does the agent run, can it write, is it fenced off? status: of the running agent, None when there is none."""
    if status is None:
        return [Finding("agent", "warn", "is not running", "start it: edge-agent run, or its service")]
    findings = [
        Finding("agent", "ok", f"runs; {status['gauges'].get('buffered_samples', 0):,} samples wait for the cloud")
    ]
    if not status["ready"].get("outbox", True):
        text = f"the outbox can't be written: {status.get('parts', {}).get('outbox', '')}"
        findings.append(Finding("outbox", "fail", text, "see to the disk; nothing is acknowledged until it can"))
    if status["cloud"].get("not_fenced") is False:
        then = "this is a copy, or the other one is: stop one of them for good; readings are kept here meanwhile"
        findings.append(Finding("identity", "fail", "another gateway under this id is connected", then))
    return findings


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
