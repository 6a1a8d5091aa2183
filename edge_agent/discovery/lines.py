"""`edge-agent discover`: what the running agent has found, for people."""

import json
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from edge_agent.status import NoAgent


def read_discoveries(data_dir: Path) -> list[dict[str, Any]]:
    """What the running agent lists at its health door. Raises NoAgent."""
    try:
        where = json.loads((data_dir / "agent.json").read_text())
        with urllib.request.urlopen(f"http://{where['host']}:{where['port']}/discoveries", timeout=3) as answer:
            found: list[dict[str, Any]] = json.loads(answer.read())
            return found
    except (OSError, ValueError, KeyError) as error:
        raise NoAgent("no agent runs here; what is unknown is known only to a running one") from error


def discovery_lines(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line a topic, below it a line a proposal with the values it would read."""
    lines = []
    for each in found:
        lines.append(f"{each['topic']}  {each['count']:,} messages, the last of {each['size_bytes']:,} bytes")
        for proposal in each.get("proposals", ()):
            values = ", ".join(f"{name}={value}" for name, value in proposal.get("values", {}).items())
            lines.append(f"  {proposal['score']:4.2f}  {proposal['profile']}  device {proposal['device']}: {values}")
        if not each.get("proposals"):
            lines.append("  no profile fits")
    return lines or ["every topic that speaks here is read"]
