"""What ``simulate ocpp`` runs: makes the site's parts, reads the wall clock, writes the truth."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from simulators.ocpp.clock import Scale
from simulators.ocpp.site import Site
from simulators.ocpp.station import Habits
from simulators.ocpp.troubles import Troubles
from simulators.program import WORLD_START_MS, wall_ms
from simulators.world.rhythms import HOUR_MS

BEGIN_MS = WORLD_START_MS + 6 * HOUR_MS
"""A Monday morning, whenever it is run: a seed says everything about who comes when."""


class ChargePoints(NamedTuple):
    """What ``simulate ocpp`` plays. hours: simulated; None, no end. The charge points are named ``prefix`` and a number."""

    url: str
    charge_points: int
    versions: Sequence[str]
    connectors: int
    prefix: str
    seed: int
    speed: float
    hours: float | None
    meter_s: float
    amps_max: float
    await_limits: bool
    troubles: Troubles


async def play_charge_points(
    plan: ChargePoints, passwords: Mapping[str, str], out: Path, ready_file: Path | None, report: dict[str, Any]
) -> None:
    """Charge points against a central system; ends when its time is over and everything is told, or when cancelled.

    The simulated day runs ``speed`` times as fast as the wall clock, in which all times on the wire are.
    """
    scale = Scale(wall_ms(), BEGIN_MS, plan.speed)
    names = [
        (f"{plan.prefix}{number:03d}", plan.versions[number % len(plan.versions)])
        for number in range(1, plan.charge_points + 1)
    ]
    habits = Habits(plan.connectors, int(plan.meter_s * 1000), plan.amps_max, plan.await_limits)
    with nullcontext(sys.stdout.buffer) if str(out) == "-" else out.open("wb") as log:

        def note(event: dict[str, Any]) -> None:
            log.write(msgspec.json.encode(event) + b"\n")

        site = Site(
            names, plan.url, {name: passwords.get(name, passwords.get("", "")) for name, _ in names},
            plan.seed, scale, habits, plan.troubles, wall_ms, note,
        )  # fmt: skip
        if ready_file is not None:
            ready_file.write_text("ready\n")  # noqa: ASYNC240 (a local file, once)
        try:
            await site.run(BEGIN_MS + int(plan.hours * HOUR_MS) if plan.hours is not None else None)
        finally:
            report.update(site.report())
            note({"at_ms": wall_ms(), "event": "report", **report})
