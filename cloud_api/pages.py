"""Lists in pages: ``{items, next_cursor}`` with an opaque cursor, and strict query parameters."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

import msgspec
from fastapi import Query, Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query as QueryParameter
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

from cloud_api.problems import Fault, Problem

LIMIT_MAX = 1000

T = TypeVar("T")
Row = TypeVar("Row")

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many items a page has at most")]
Cursor = Annotated[str, Query(max_length=400, description="next_cursor of the page before; none for the first page")]


class Page(BaseModel):
    """What all lists have in common."""

    next_cursor: str | None = Field(
        None, description="Give it as `cursor` for the next page; null on the last", examples=["WyJkZXYtMSJd"]
    )


def encode_cursor(*place: str | int) -> str:
    """The opaque form of a place in a list."""
    return urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def decode_cursor(cursor: str, *kinds: type[str] | type[int]) -> list[str | int] | None:
    """The place that ``encode_cursor`` was given; None for the first page. Raises Problem cursor_invalid."""
    if not cursor:
        return None
    try:
        place = msgspec.json.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=list[str | int])
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise Problem("cursor_invalid", "take next_cursor of the page before, unchanged") from None
    if [type(part) for part in place] != list(kinds):
        raise Problem("cursor_invalid", "take next_cursor of the page before, unchanged")
    return place


def id_after(cursor: str) -> str:
    """The last id of the page before, for lists in the order of their ids; "" for the first page."""
    place = decode_cursor(cursor, str)
    return str(place[0]) if place else ""


def time_before(cursor: str) -> tuple[int, str] | None:
    """(time, id) of the last item of the page before, for lists that are newest first; None for the first page."""
    place = decode_cursor(cursor, int, str)
    return (int(place[0]), str(place[1])) if place else None


def cut(rows: Sequence[Row], limit: int, place: Callable[[Row], tuple[str | int, ...]]) -> tuple[list[Row], str | None]:
    """Of ``limit + 1`` rows asked for, the page and its next cursor."""
    page = list(rows[:limit])
    return page, encode_cursor(*place(page[-1])) if len(rows) > limit else None


async def refuse_unknown_parameters(request: Request) -> None:
    """A dependency of the whole API: a misspelt filter must not silently give everything. Raises parameter_unknown."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return
    fields = get_flat_params(route.dependant)
    known = {field.alias for field in fields if isinstance(field.field_info, QueryParameter)}
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        takes = ", ".join(sorted(known)) or "none"
        faults = [Fault(where=f"query.{name}", message="unknown parameter") for name in unknown]
        raise Problem("parameter_unknown", f"{', '.join(unknown)}: this path takes {takes}", faults)
