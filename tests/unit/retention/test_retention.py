"""What is older than it is kept for goes, kind by kind, in small bites; what is not stays; and the audit hangs together."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from prometheus_client import Counter
from tortoise.models import Model

from cloud_api.approvals.models import ApprovalRow
from cloud_api.audit import Draft
from cloud_api.audit.verification import checkpoints_in, verify
from cloud_api.charging.models import TransactionRow
from cloud_api.commands.models import SelectionRow
from cloud_api.identity.models import ClaimRow, RefusalRow
from cloud_api.people.models import InvitationRow, SessionRow, TokenRow
from cloud_api.people.sessions import ABSOLUTE_MS, IDLE_MS
from cloud_api.program import retention_rules
from cloud_api.retention import BATCH, Rule, keep
from cloud_api.settings import Settings, SettingsError, load_settings
from cloud_api.signing import public_pem
from contracts.messages import Refused
from contracts.signature import public_keys
from contracts.vocabulary import DAY_MS
from device_registry import DatabaseUnavailable
from tests.unit.cloud_http.cloud import GATEWAY, NOW, Cloud, open_cloud, reading

CLOSED = NOW - 365 * DAY_MS
"""What ended then is a year old just now, and stays; a millisecond earlier, and it goes."""
BILLED = NOW - 1_095 * DAY_MS


def row(model: type[Model], key: str, **values: Any) -> Model:
    """With whatever else it needs."""
    filled: dict[str, Any] = {}
    for name, field in model._meta.fields_map.items():
        if field.pk or field.null or name in values or field.default is not None:
            continue
        filled[name] = (
            0.0 if field.field_type is float else NOW if field.field_type is int else [] if name == "grants" else key
        )
    return model(**{model._meta.pk_attr: key} | filled | values)


KINDS: dict[str, tuple[type[Model], dict[str, int], dict[str, int]]] = {
    # kind: table, what has it go, what has it stay
    "session": (SessionRow, {"begun_ms": NOW - ABSOLUTE_MS}, {"begun_ms": NOW - ABSOLUTE_MS + 1}),
    "session idle": (SessionRow, {"seen_ms": NOW - IDLE_MS}, {"seen_ms": NOW - IDLE_MS + 1}),
    "invitation used": (InvitationRow, {"used_ms": CLOSED - 1}, {"used_ms": CLOSED}),
    "invitation withdrawn": (InvitationRow, {"withdrawn_ms": CLOSED - 1}, {"withdrawn_ms": CLOSED}),
    "invitation": (InvitationRow, {"expires_ms": CLOSED - 1}, {"expires_ms": CLOSED}),
    "token": (TokenRow, {"expires_ms": CLOSED - 1}, {"expires_ms": CLOSED}),
    "token revoked": (TokenRow, {"revoked_ms": CLOSED - 1}, {"revoked_ms": CLOSED}),
    "claim": (ClaimRow, {"expires_ms": CLOSED - 1}, {"expires_ms": CLOSED}),
    "claim_refusal": (RefusalRow, {"at_ms": CLOSED - 1}, {"at_ms": CLOSED}),
    "approval": (ApprovalRow, {"expires_ms": CLOSED - 1}, {"expires_ms": CLOSED}),
    "selection": (SelectionRow, {"expires_ms": CLOSED - 1}, {"expires_ms": CLOSED}),
    "charging_transaction": (TransactionRow, {"ended_ms": BILLED - 1}, {"ended_ms": BILLED}),
    "charging_transaction open": (TransactionRow, {"ended_ms": BILLED - 1}, {"ended_ms": 0}),
}


def named(model: type[Model], number: int) -> Any:
    return number if model is TransactionRow else f"x{number}"


def counters() -> tuple[Counter, Counter]:
    return Counter("removed", "-", ["kind"], registry=None), Counter("failures", "-", ["kind"], registry=None)


async def once(cloud: Cloud, rules: list[Rule], removed: Counter, failed: Counter) -> None:
    """One round of the schedule."""
    done = asyncio.Event()

    async def last(before_ms: int, limit: int) -> int:
        done.set()
        return 0

    keeping = asyncio.create_task(keep([*rules, Rule("last", 0, last)], lambda: cloud.now_ms, removed, failed))
    await asyncio.wait_for(done.wait(), 30)
    keeping.cancel()
    await asyncio.wait([keeping])


def test_what_is_old_goes_and_what_is_not_stays(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            for number, (model, goes, stays) in enumerate(KINDS.values()):
                for key, times in ((2 * number, goes), (2 * number + 1, stays)):
                    text = {"transaction": f"t{key}"} if model is TransactionRow else {}
                    await row(model, named(model, key), **times, **text).save(force_create=True)
            many = BATCH * 2 + 3
            await RefusalRow.bulk_create([RefusalRow(id=f"m{n}", at_ms=CLOSED - 1, reason="r") for n in range(many)])
            quarantine = cloud.stores.durable.quarantine
            for topic, at_ms in (("old", CLOSED - 1), ("new", CLOSED), ("no clock", 5)):
                refused = Refused(
                    topic=topic, profile="", reason="json_invalid", detail="", at_ms=at_ms, head=b"{", size_bytes=1,
                    count=1,
                )  # fmt: skip
                await quarantine.device_refused(GATEWAY, refused)
            rules, sizes = retention_rules(Settings(data_dir=tmp_path), cloud.stores), []

            def watched(rule: Rule) -> Rule:
                async def remove(before_ms: int, limit: int) -> int:
                    sizes.append(await rule.remove(before_ms, limit))
                    return sizes[-1]

                return rule._replace(remove=remove)

            removed, failed = counters()
            await once(cloud, [watched(rule) for rule in rules if rule.kind != "audit"], removed, failed)
            for number, (kind, (model, _, _)) in enumerate(KINDS.items()):
                assert not await model.exists(pk=named(model, 2 * number)), kind
                assert await model.exists(pk=named(model, 2 * number + 1)), kind
            assert {entry.topic for entry in await quarantine.newest(None, None, 10)} == {"new", "no clock"}
            assert max(sizes) <= BATCH and await RefusalRow.all().count() == 1
            samples = next(iter(removed.collect())).samples
            counted = {each.labels["kind"]: each.value for each in samples if each.name.endswith("_total")}
            assert counted["claim_refusal"] == many + 1 and counted["invitation"] == 3 and counted["quarantine"] == 1
            assert (await cloud.http.get("/api/v1/sessions/current")).status_code == 200, "the good token is good"

    asyncio.run(run())


def test_what_fails_keeps_nothing_else_from_it(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            removed, failed = counters()

            async def away(before_ms: int, limit: int) -> int:
                raise DatabaseUnavailable("away")

            left = [2, 1]

            async def works(before_ms: int, limit: int) -> int:
                return left.pop(0) if left else 0

            await once(cloud, [Rule("a", 0, away), Rule("b", 0, works)], removed, failed)
            assert failed.labels("a")._value.get() == 1 and removed.labels("b")._value.get() == 3

            old, new = NOW - 3 * DAY_MS, NOW - DAY_MS
            await cloud.frames([reading("d", t_ms, temperature=20.5) for t_ms in (old, new)])
            rules = retention_rules(Settings(data_dir=tmp_path, telemetry_keep_days=2), cloud.stores)
            await once(cloud, [rule for rule in rules if rule.kind == "telemetry"], removed, failed)
            points = await cloud.stores.telemetry.series((GATEWAY, "d"), "temperature", 0, 2**60, 10)
            assert [point.t_ms for point in points] == [new]

    asyncio.run(run())


def test_an_audit_whose_beginning_was_removed_hangs_together(tmp_path: Path) -> None:
    """It begins after a checkpoint. Whoever takes out more, or begins at another place, is found."""

    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            audit, long_ago = cloud.stores.audit, NOW - 2_000 * DAY_MS
            cloud.now_ms = long_ago
            early = await audit.checkpoint()
            for part in range(3):
                for number in range(20):
                    await audit.append(Draft(cloud.now_ms, "p", "act", f"{part}/{number}", "", "done", {}))
                middle = await audit.checkpoint()
                cloud.now_ms = long_ago if part == 0 else NOW
            keys = public_keys(public_pem(cloud.stores.signing_key))
            removed, failed = counters()
            rules = [
                rule for rule in retention_rules(Settings(data_dir=tmp_path), cloud.stores) if rule.kind == "audit"
            ]
            await once(cloud, rules, removed, failed)
            gone = int(removed.labels("audit")._value.get())
            assert gone >= 40, "two parts are old, with what was before them"
            export = (await cloud.http.get("/api/v1/audit/export")).content
            lines = export.splitlines()
            assert json.loads(lines[0])["checkpoint"] == gone and json.loads(lines[1])["seq"] == gone + 1
            word = (await cloud.get("audit", action="audit_removed"))["items"]
            assert [each["actor"] for each in word] == ["retention"] * len(word) and word
            known = [*checkpoints_in(export), early, middle]
            verdict = verify(lines, known, keys)
            assert (verdict.fault, verdict.removed) == (None, gone)
            assert verify(lines[1:], checkpoints_in(export), keys).fault, "without its first line it begins nowhere"
            found = verify([lines[0], *lines[2:]], known, keys).fault
            assert found and (found.seq, found.what) == (gone + 1, "missing")
            forged = lines[0].replace(b'"hash":"', b'"hash":"f', 1)
            assert verify([forged, *lines[1:]], checkpoints_in(b"\n".join([forged, *lines[1:]])), keys).fault
            foreign = replace(next(each for each in known if each.checkpoint == gone), hash="0" * 64)
            fault = verify(lines, [*known, foreign], []).fault
            assert fault and fault.what == "recomputed", "somebody keeps another checkpoint over what was removed"

    asyncio.run(run())


def test_an_audit_is_kept_for_half_a_year_at_least(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINLI_AUDIT_KEEP_DAYS", "182")
    with pytest.raises(SettingsError, match=r"LINLI_AUDIT_KEEP_DAYS = '182'.*183 days at least"):
        load_settings(None)
    monkeypatch.delenv("LINLI_AUDIT_KEEP_DAYS")
    defaults = Settings(data_dir=tmp_path)
    assert (defaults.records_keep_days, defaults.audit_keep_days, defaults.telemetry_keep_days) == (365, 1_095, 0)
