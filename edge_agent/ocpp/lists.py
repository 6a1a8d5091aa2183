"""Gives the site's tokens to charge points that keep a list of their own, so that they decide alike without a link."""

import logging
import zlib
from collections.abc import Sequence

import msgspec

from contracts.messages import DesiredToken
from edge_agent.ocpp.calls import Link
from edge_agent.ocpp.session import Session
from edge_agent.ocpp.validation import CallRefused

log = logging.getLogger(__name__)

ENTRIES_MAX = 50
"""Entries in one message; a longer list goes in several, the first one replacing all."""
VERSION_MIN, VERSIONS = 100_000, 2**31 - 200_000


def version_of(tokens: Sequence[DesiredToken]) -> int:
    """A number that names this list: a charge point that has it need not be told again."""
    return VERSION_MIN + zlib.crc32(msgspec.msgpack.encode(list(tokens))) % VERSIONS


async def give_list(link: Link, session: Session, tokens: Sequence[DesiredToken]) -> None:
    """Bring the charge point's list up to date. One that keeps none says so, and is left alone. Raises NotAnswered."""
    version = version_of(tokens)
    try:
        has = session.list_version(await link.call("GetLocalListVersion", {}))
        if has < 0 or has == version or (not tokens and not has):
            return
        chunks = [tokens[at : at + ENTRIES_MAX] for at in range(0, len(tokens), ENTRIES_MAX)] or [()]
        for place, chunk in enumerate(chunks):
            update = "Differential" if place else "Full"
            payload = session.list_update(version - len(chunks) + 1 + place, update, chunk)
            status = (await link.call("SendLocalList", payload)).get("status")
            if status != "Accepted":
                log.warning("local list not taken", extra={"charge_point": link.charge_point, "answer": status})
                return
    except CallRefused as error:
        log.info("charge point keeps no list", extra={"charge_point": link.charge_point, "answer": error.code})
