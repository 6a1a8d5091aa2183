"""All checks of a site, one after another."""

import json
import sqlite3
import time
import urllib.request
from pathlib import Path
from typing import Any

from edge_agent.doctor.certificate import check_certificate
from edge_agent.doctor.finding import Finding
from edge_agent.doctor.gateway import (
    bytes_an_hour,
    check_agent,
    check_clock,
    check_folder,
    check_outbox,
    check_profiles,
    check_room,
)
from edge_agent.doctor.network import check_broker
from edge_agent.machine import boot_id, read_kept
from edge_agent.outbox.database import disk_of
from edge_agent.outbox.room import Limits
from edge_agent.settings import Settings
from edge_agent.uplink.tls import client_context


def examine(settings: Settings) -> list[Finding]:
    """Every check, in the order in which an installer would mend what is wrong. Takes at most half a minute."""
    data_dir = Path(settings.data_dir)
    status = _status(data_dir)
    findings = [Finding("settings", "ok", f"valid; this is {settings.gateway_id}"), check_folder(data_dir)]
    if data_dir.exists():
        findings.append(_room(settings, data_dir, status))
    findings.append(check_outbox(data_dir / "outbox.sqlite"))
    wall_ms = time.time_ns() // 1_000_000
    steady_ms = time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)) // 1_000_000
    findings.append(check_clock(wall_ms, steady_ms, boot_id(), read_kept(data_dir)))
    findings.append(check_profiles(settings.profiles))
    if settings.identity_is_ours:
        findings.append(check_certificate(Path(settings.cloud_mqtt_tls_cert), settings.gateway_id, wall_ms))
    findings += check_broker(
        "local broker", settings.local_mqtt_host, settings.local_mqtt_port, f"{settings.gateway_id}-doctor",
        settings.local_mqtt_username, settings.local_mqtt_password,
    )  # fmt: skip
    findings += _cloud(settings, status)
    return findings + check_agent(status)


def _room(settings: Settings, data_dir: Path, status: dict[str, Any] | None) -> Finding:
    limits = Limits(settings.outbox_bytes_max, settings.outbox_age_ms_max, settings.disk_free_bytes_min)
    try:
        hourly_bytes = bytes_an_hour(data_dir / "outbox.sqlite")
    except sqlite3.Error:
        hourly_bytes = 0.0  # no file yet, or one that the next check finds damaged
    held_bytes = status["gauges"].get("outbox_bytes", 0) if status else 0
    return check_room(disk_of(data_dir), limits, held_bytes, hourly_bytes)


def _cloud(settings: Settings, status: dict[str, Any] | None) -> list[Finding]:
    connected = bool(status and status["cloud"].get("connected"))
    ca, cert, key = settings.cloud_mqtt_tls_ca, settings.cloud_mqtt_tls_cert, settings.cloud_mqtt_tls_key
    findings = check_broker(
        "cloud", settings.cloud_mqtt_host, settings.cloud_mqtt_port, "" if connected else settings.gateway_id,
        settings.cloud_mqtt_username, settings.cloud_mqtt_password,
        (lambda: client_context(ca, cert, key, dates_count=True)) if ca else None,
    )  # fmt: skip
    if connected:
        findings.append(Finding("cloud MQTT", "ok", "the running agent is connected"))
    if settings.plain_text_fault:
        then = "the agent does not start like this"
        findings.append(Finding("cloud TLS", "fail", settings.plain_text_fault, then))
    elif not ca:
        then = "right where the cloud is on this machine, or nobody else on its network"
        findings.append(Finding("cloud TLS", "warn", "is not used: everything goes in plain text", then))
    return findings


def _status(data_dir: Path) -> dict[str, Any] | None:
    try:
        where = json.loads((data_dir / "agent.json").read_text())
        with urllib.request.urlopen(f"http://{where['host']}:{where['port']}/status", timeout=3) as answer:
            return dict(json.loads(answer.read()))
    except (OSError, ValueError, KeyError):
        return None
