"""What of the database of record goes, kind by kind: each has ended, and so long ago."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tortoise.expressions import Q
from tortoise.models import Model

from cloud_api.approvals.models import ApprovalRow
from cloud_api.charging.models import TransactionRow
from cloud_api.commands.models import SelectionRow
from cloud_api.identity.models import ClaimRow, RefusalRow
from cloud_api.people.models import InvitationRow, SessionRow, TokenRow
from cloud_api.people.sessions import ABSOLUTE_MS, IDLE_MS
from cloud_api.retention.schedule import Rule
from device_registry import database_errors, writing


def _ended(*columns: str) -> Callable[[int], Q]:
    """Any of these times is that long ago; a null is no time."""

    def which(before_ms: int) -> Q:
        times: dict[str, Any] = {f"{column}__lt": before_ms for column in columns}
        return Q(join_type="OR", **times)

    return which


def _sessions(now_ms: int) -> Q:
    return Q(begun_ms__lte=now_ms - ABSOLUTE_MS) | Q(seen_ms__lte=now_ms - IDLE_MS)


def _transactions(before_ms: int) -> Q:
    return Q(ended_ms__gt=0, ended_ms__lt=before_ms)


RECORDS: Mapping[str, tuple[type[Model], Callable[[int], Q]]] = {
    "invitation": (InvitationRow, _ended("used_ms", "withdrawn_ms", "expires_ms")),
    "token": (TokenRow, _ended("revoked_ms", "expires_ms")),
    "claim": (ClaimRow, _ended("expires_ms")),
    "claim_refusal": (RefusalRow, _ended("at_ms")),
    "approval": (ApprovalRow, _ended("expires_ms")),
    "selection": (SelectionRow, _ended("expires_ms")),
}


def record_rules(records_ms: int, charging_ms: int) -> list[Rule]:
    """Sessions go when they have ended, the rest so long after. 0: that is kept for good."""
    rules = [Rule("session", 0, _removing(SessionRow, _sessions))]
    if records_ms:
        rules += [Rule(kind, records_ms, _removing(model, which)) for kind, (model, which) in RECORDS.items()]
    if charging_ms:
        rules.append(Rule("charging_transaction", charging_ms, _removing(TransactionRow, _transactions)))
    return rules


def _removing(model: type[Model], which: Callable[[int], Q]) -> Callable[[int, int], Awaitable[int]]:
    async def remove(before_ms: int, limit: int) -> int:
        with database_errors():
            async with writing():
                keys = await model.filter(which(before_ms)).limit(limit).values_list(model._meta.pk_attr, flat=True)
                if keys:
                    await model.filter(pk__in=list(keys)).delete()
        return len(keys)

    return remove
