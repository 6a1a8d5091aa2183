"""The checks against the simulated world, where the truth is known: what they find, and how often they are wrong.

``python -m tests.quality.confusion`` writes the table into docs/quality.md.
"""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from cloud_api.quality.suite import TRACKED, findings
from cloud_api.quality.tracks import DeviceTracks
from contracts.vocabulary import DAY_MS, HOUR_MS
from simulators.world.device import Event
from simulators.world.plan import plan_of
from simulators.world.world import World

START_MS = 1_790_000_000_000
LOOK_MS = HOUR_MS // 2
LONG_MS = 6 * HOUR_MS
GRACE_MS = 6 * HOUR_MS
"""After a fault has ended its traces are in the past that the checks look at: not counted as a false alarm."""
PAGE = Path(__file__).parents[2] / "docs" / "quality.md"
BEGIN, END = "<!-- table -->", "<!-- end of table -->"

MEANT = {"silent": {"late"}, "stuck": {"stuck"}, "drift": {"zero_drift"}, "lie": {"covered", "stuck", "flapping"}}
"""What should be found of each kind of fault."""


class Row(NamedTuple):
    """One model and kind of fault: episodes, those of six hours and more, and how many of these were found."""

    model: str
    fault: str
    episodes: int
    found: int
    long: int
    long_found: int


class Confusion(NamedTuple):
    """rows by (model, fault); false_alarms: (model, check) -> looks at a well device that raised it; looks: model -> looks."""

    rows: list[Row]
    false_alarms: dict[tuple[str, str], int]
    looks: dict[str, int]


class _Watched:
    """One device, judged every half hour beside the truth."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.tracks = DeviceTracks()
        self.fault = ""
        self.since_ms = START_MS
        self.ended_ms = START_MS - GRACE_MS
        self.found: set[str] = set()
        self.episodes: list[tuple[str, int, bool]] = []

    def hear(self, event: Event) -> None:
        if event.says:
            self.tracks.heard([event.at_ms])
        for metric, value in event.says.items():
            if metric in TRACKED and value is not None:
                self.tracks.take(metric, [(event.at_ms, value)])
        if event.fault != self.fault:
            if self.fault:
                meant = not self.found.isdisjoint(MEANT.get(self.fault, set()))
                self.episodes.append((self.fault, event.at_ms - self.since_ms, meant))
                self.ended_ms = event.at_ms
            self.fault, self.since_ms, self.found = event.fault, event.at_ms, set()

    def look(self, now_ms: int) -> set[str]:
        """The checks that are wrong now."""
        found = {finding.check for finding in findings(self.tracks, now_ms)}
        if self.fault:
            self.found |= found
            return set()
        return found if now_ms - self.ended_ms > GRACE_MS else set()


def confusion(devices: int, days: int, seed: int) -> Confusion:
    """Play a world and judge its devices.

    Left out: a real fire of the world, which is no false alarm, and the fault ``invalid``: there the device itself says that
    it has no value.
    """
    plan = plan_of(devices)
    world = World(plan, seed, START_MS)
    watched = {spec.id: _Watched(spec.model) for spec in plan}
    false_alarms: Counter[tuple[str, str]] = Counter()
    looks: Counter[str] = Counter()
    for now_ms in range(START_MS + LOOK_MS, START_MS + days * DAY_MS + 1, LOOK_MS):
        for event in world.run_until(now_ms):
            watched[event.device].hear(event)
        for each in watched.values():
            looks[each.model] += 1
            false_alarms.update((each.model, check) for check in each.look(now_ms) - {"fire"})
    episodes = [(each.model, *episode) for each in watched.values() for episode in each.episodes]
    rows = [
        _row(episodes, model, fault) for model, fault in sorted({each[:2] for each in episodes if each[1] != "invalid"})
    ]
    return Confusion(rows, dict(sorted(false_alarms.items())), dict(looks))


def _row(episodes: list[tuple[str, str, int, bool]], model: str, fault: str) -> Row:
    mine = [(lasted_ms, found) for of, kind, lasted_ms, found in episodes if (of, kind) == (model, fault)]
    long = [found for lasted_ms, found in mine if lasted_ms >= LONG_MS]
    return Row(model, fault, len(mine), sum(found for _, found in mine), len(long), sum(long))


def table(found: Confusion) -> str:
    """The page's tables."""
    lines = [
        "| device | fault | episodes | found | of six hours and more | found |", "|---|---|---|---|---|---|",
        *(f"| {r.model} | {r.fault} | {r.episodes} | {r.found} | {r.long} | {r.long_found} |" for r in found.rows), "",
        "| device | check | false alarms a thousand looks at a well device |", "|---|---|---|",
        *(
            f"| {model} | {check} | {1000 * count / found.looks[model]:.1f} |"
            for (model, check), count in found.false_alarms.items()
        ),
    ]  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table(confusion(200, 30, 5))}\n{END}{rest.split(END)[1]}", encoding="utf-8")
