"""Dashboard, alerts and runbooks name only what exists: metrics, chapters, commands and their options."""

import json
import re
import shlex
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.ops.exported import documented
from tests.processes import BIN

OPS = Path(__file__).parents[3] / "docs" / "ops"
RUNBOOKS = (OPS / "runbooks.md").read_text(encoding="utf-8")
ALERTS: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((OPS / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads((OPS / "grafana-linli.json").read_text(encoding="utf-8"))
METRIC = re.compile(r"\b(?:linli|process)_[a-z0-9_]+")
TYPES = documented()
LABELS = {
    "gateway", "instance", "job", "kind", "le", "method", "part", "projection", "reason", "route", "state", "status", "version",
}  # fmt: skip
PAGES = sorted(OPS.glob("*.md"))


def metrics_in(text: str) -> set[str]:
    """The metrics that an expression names; a histogram's parts as the histogram."""
    found = set()
    for name in METRIC.findall(text):
        base = re.sub(r"_(bucket|count|sum)$", "", name)
        found.add(base if TYPES.get(base) == "histogram" else name)
    return found


def assert_sound(expression: str) -> None:
    """Its metrics exist, their labels too, and counters are only looked at as rates."""
    named = metrics_in(expression)
    assert named, f"{expression} names no metric"
    assert named <= set(TYPES), f"{expression}: there is no {sorted(named - set(TYPES))}; see docs/ops/metrics.md"
    for group in re.findall(r"by \(([^)]*)\)|\{([^}]*)\}", expression):
        labels = {re.split(r"[=!]", label)[0].strip() for part in group for label in part.split(",") if label.strip()}
        assert labels <= LABELS, f"{expression}: no metric has {sorted(labels - LABELS)}"
    for name in (name for name in named if TYPES[name] == "counter"):
        assert re.search(rf"(rate|increase)\({name}", expression), f"{expression}: {name} counts since a start"
    assert expression.count("(") == expression.count(")")


def test_the_table_of_metrics_is_there() -> None:
    assert len(TYPES) > 60 and {"counter", "gauge", "histogram"} == set(TYPES.values())


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_names_metrics_and_a_chapter_that_are_there(rule: dict[str, Any]) -> None:
    assert_sound(rule["expr"])
    assert rule["alert"].startswith("Linli") and rule["labels"]["severity"] in ("warning", "critical")
    assert rule["annotations"]["summary"]
    assert re.fullmatch(r"\d+[sm]", rule.get("for", "0s"))
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert page == "runbooks.md" and anchor in anchors(RUNBOOKS)


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_alert_that_a_runbook_names_is_there_and_the_other_way_round() -> None:
    named = set(re.findall(r"`(Linli[A-Za-z]+)`", RUNBOOKS))
    there = {rule["alert"] for rule in ALERTS}
    assert named <= there
    assert there - named <= {
        "LinliUnexplainedLoss", "LinliDeclaredDrops", "LinliReadingsWait", "LinliEdgePartDown",
    }, "say in a runbook how it shows"  # fmt: skip


def test_prometheus_takes_the_alerts_and_raises_them_when_it_should(tmp_path: Path) -> None:
    """Every expression is read by Prometheus itself; of some it is tried what they say of series that begin and end."""
    for file in (OPS / "alerts.yml", Path(__file__).parent / "alerts_test.yml"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    for command in (("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")):
        done = subprocess.run(
            ["promtool", *command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def test_links_within_the_pages_lead_to_chapters() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", text):
            assert anchor in anchors((OPS / target).read_text(encoding="utf-8") if target else text), (page, anchor)


PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_names_metrics_that_are_there(panel: dict[str, Any]) -> None:
    assert panel["targets"]
    for target in panel["targets"]:
        assert_sound(target["expr"])
        labels = set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")))
        assert labels <= LABELS


def test_the_dashboard_can_be_imported() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids)) and DASHBOARD["title"] == "Linli" and DASHBOARD["uid"]
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in PANELS)
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, f"{panel['title']} lies over another panel"
        taken |= cells


@cache
def help_of(*command: str) -> str:
    """What --help says; the command must be there."""
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:], "--help"], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, f"there is no `{' '.join(command)}`: {done.stderr}"
    return done.stdout


def commands() -> list[str]:
    """Every command of ours in the pages: in code blocks and in single backticks."""
    found: list[str] = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        lines = [line for block in re.findall(r"```\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
        for line in [*lines, *re.findall(r"`([^`\n]+)`", text)]:
            match = re.search(r"\b(edge-agent|cloud-api) (?!edge-agent |cloud-api )[a-z].*", line.partition("#")[0])
            if match and not line.lstrip().startswith("systemctl"):
                found.append(match.group().strip())
    return sorted(set(found))


@pytest.mark.parametrize("command", commands())
def test_a_command_in_the_pages_exists_with_its_options(command: str) -> None:
    program, verb, *rest = shlex.split(command)
    text = help_of(program, verb)
    for option in (word.split("=")[0] for word in rest if word.startswith("--")):
        assert option in text, f"{command}: {program} {verb} has no {option}"
    usage = " ".join(text.partition("\n\n")[0].split())
    positional = [word for word in rest if not word.startswith("--")]
    wanted = re.findall(r"(?<![\w\[-])(DIR|FILE|FOLDER|VERB|ADDRESS|\{[a-z,]+\})", usage)
    if positional and wanted and wanted[0].startswith("{"):
        assert positional[0] in wanted[0].strip("{}").split(",")
    assert bool(positional) <= bool(wanted), f"{command}: {program} {verb} takes no argument"


def test_commands_were_found() -> None:
    assert {"edge-agent status", "cloud-api rebuild telemetry", "cloud-api restore DIR --replace"} <= set(commands())
