"""`status` and `ledger`: what the running agent says of itself, or what its outbox file says when it does not run."""

import json
import urllib.error
import urllib.request
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
