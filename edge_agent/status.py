"""`status` and `ledger`: what the running agent says of itself, or what its outbox file says when it does not run."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_agent.outbox import Outbox
from edge_agent.outbox.file import OutboxDamaged


class NoAgent(Exception):
    """There is neither a running agent nor an outbox in the data directory."""


def read_status(data_dir: Path, gateway: str, bytes_max: int) -> dict[str, Any]:
    """The status document, with ``running``. Raises NoAgent."""
    try:
        where = json.loads((data_dir / "agent.json").read_text())
        with urllib.request.urlopen(f"http://{where['host']}:{where['port']}/status", timeout=3) as answer:
            return {"running": True, **json.loads(answer.read())}
    except (OSError, ValueError, KeyError, urllib.error.URLError):
        pass  # not running: the file is as good
    path = data_dir / "outbox.sqlite"
    if not path.exists():
        raise NoAgent(f"no agent runs here, and there is no outbox in {data_dir}")
    try:
        outbox = Outbox(path, gateway, bytes_max, lambda: 0)
    except OutboxDamaged as error:
        raise NoAgent(f"{path} is damaged ({error}); the agent salvages it when it starts") from error
    try:
        lanes = [{name: getattr(lane, name) for name in lane.__struct_fields__} for lane in outbox.lanes.values()]
        return {"running": False, "gateway": gateway, "epoch": outbox.epoch, "lanes": lanes}
    finally:
        outbox.close()


def status_lines(status: Mapping[str, Any]) -> list[str]:
    """The status document for people: what is wrong first, then how full it is, then the counts."""
    lines = [f"gateway {status['gateway']}: {'running' if status['running'] else 'NOT running'}"]
    for part, reason in status.get("parts", {}).items():
        lines.append(_line(part, "NO: " + reason if reason else "yes"))
    gauges = status.get("gauges", {})
    if gauges:
        full, room = gauges["outbox_hours_until_full"], gauges["outbox_room_bytes"]
        when = "does not fill" if full is None else f"full in {_span(full)} at the present rate"
        share = gauges["outbox_unacked_bytes"] / gauges["outbox_bytes_max"]
        lines.append(_line("outbox", f"{share:.0%} unacknowledged, room for {room:,} bytes, {when}"))
        lines.append(_line("oldest frame waits", _span(gauges["oldest_unacked_age_ms"] / 3_600_000)))
    shown = ("parts", "outbox_hours_until_full", "oldest_unacked_age_ms")
    for name, value in {**status.get("counters", {}), **gauges}.items():
        if name not in shown:
            lines.append(_line(name, "not known" if value is None else f"{value:,}"))
    profiles = status.get("profiles", {})
    lines += [_line(f"profile {name}", f"version {version}") for name, version in profiles.get("travelled", {}).items()]
    lines += [_line(f"profile {name}", f"REFUSED: {reason}") for name, reason in profiles.get("refused", {}).items()]
    lines += [_line(point["charge_point"], _charge_point(point)) for point in status.get("charge_points", ())]
    for title in ("refused", "charge_points_refused", "given_up"):
        lines += [_line(f"{title}: {reason}", f"{count:,}") for reason, count in status.get(title, {}).items()]
    return lines


def _charge_point(point: Mapping[str, Any]) -> str:
    if not point["registered"]:
        return f"NOT REGISTERED, speaks {point['version']}"
    if point["version"] is None:
        return "NO: not connected"
    connectors = ", ".join(f"{number}: {status}" for number, status in point["connectors"].items())
    limit = f"{point['limit_a']:g} A" if point["limit_a"] is not None else f"NOT TAKEN {point['limit_refused']}".strip()
    return f"yes, {point['version']}, limit {limit}; {connectors or 'connectors not said yet'}"


def _line(name: str, text: str) -> str:
    return f"  {name.replace('_', ' '):26} {text}"


def _span(hours: float) -> str:
    if hours >= 48:
        return f"{hours / 24:,.0f} days"
    return (
        f"{hours:.1f} hours" if hours >= 1 else f"{hours * 60:.0f} min" if hours >= 1 / 30 else f"{hours * 3600:.0f} s"
    )


def ledger_of(status: dict[str, Any]) -> dict[str, Any]:
    """The gateway's own side of the ledger, counted in samples."""
    lanes = status["lanes"]
    produced = sum(lane.get("produced", 0) for lane in lanes)
    buffered = sum(lane.get("buffered", 0) for lane in lanes)
    dropped = sum(lane.get("dropped", 0) for lane in lanes)
    return {
        "gateway_id": status["gateway"],
        "epoch": status["epoch"],
        "produced": produced,
        "acked": produced - buffered - dropped,
        "declared_dropped": dropped,
        "buffered": buffered,
        "lanes": lanes,
    }
