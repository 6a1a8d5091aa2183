"""Select before operate: what acts on people's way or safety takes two steps, and the second holds only for what was seen in the
first. A selection is one person's, for one order, for a short while, once."""

from collections.abc import Mapping
from typing import Any

from cloud_api.commands.models import SelectionRow
from cloud_api.problems import Problem
from contracts.reading import Value
from device_registry import writing

SELECTED_MS = 30_000
KEPT_MS = 86_400_000


async def select(
    selection_id: str, device_id: str, verb: str, args: Mapping[str, Any], value: Value | None, fresh: bool, actor: str,
    now_ms: int,
) -> SelectionRow:  # fmt: skip
    """Select. value: what the device last said of the metric that the verb changes; fresh: and that counts still."""
    async with writing():
        await SelectionRow.filter(expires_ms__lt=now_ms - KEPT_MS).delete()
        return await SelectionRow.create(
            id=selection_id, device_id=device_id, verb=verb, args=dict(args), seen={"value": value, "fresh": fresh},
            actor=actor, created_ms=now_ms, expires_ms=now_ms + SELECTED_MS,
        )  # fmt: skip


async def selected(
    selection_id: str, device_id: str, verb: str, args: Mapping[str, Any], value: Value | None, actor: str, now_ms: int
) -> SelectionRow:
    """The selection under which this may be done. value: what the device says now. Raises Problem selection_refused,
    state_changed."""
    row = await SelectionRow.get_or_none(id=selection_id)
    if row is None or row.actor != actor:
        raise Problem("selection_refused", f"you have no selection {selection_id!r}")
    if (row.device_id, row.verb, row.args) != (device_id, verb, args):
        raise Problem("selection_refused", f"{selection_id} is for {row.verb} of {row.device_id} as it was asked then")
    if row.used_ms is not None:
        raise Problem("selection_refused", f"{selection_id} has been used")
    if now_ms >= row.expires_ms:
        raise Problem("selection_refused", f"{selection_id} held for {SELECTED_MS // 1000} s; select again")
    if row.seen["value"] != value:
        raise Problem("state_changed", f"it was {row.seen['value']} when it was selected, and is {value} now")
    return row


async def use(selection_id: str, now_ms: int) -> None:
    """Use it, within the transaction of what is done. Raises Problem selection_refused when somebody was faster."""
    if not await SelectionRow.filter(id=selection_id, used_ms__isnull=True).update(used_ms=now_ms):
        raise Problem("selection_refused", f"{selection_id} has been used")
