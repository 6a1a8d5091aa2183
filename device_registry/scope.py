"""Whose rows are seen: the one place in which the registry is narrowed down to the communities of whoever asks.

A request of the API runs within the communities its caller may see; the programs' own tasks see everything. What is outside is
not there: it is in no list, and its id is not found.
"""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from tortoise.models import Model
from tortoise.queryset import QuerySet

from device_registry.models import Community, Device, Facility, Gateway

Communities = frozenset[str] | None
"""Ids of communities; None: all of them."""
EVERYWHERE: Communities = None
NOWHERE: Communities = frozenset()

_scope: ContextVar[Communities] = ContextVar("scope", default=EVERYWHERE)

_COMMUNITY_OF: dict[type[Model], str] = {
    Community: "id",
    Facility: "community_id",
    Gateway: "community_id",
    Device: "community_id",
}

Row = TypeVar("Row", bound=Model)


@contextmanager
def within(communities: Communities) -> Generator[None]:
    """Only these are seen in here, unless ``see`` says otherwise."""
    before = _scope.set(communities)
    try:
        yield
    finally:
        _scope.reset(before)


def see(communities: Communities) -> None:
    """From now on, in this task and those it begins, these are seen: until the end of the ``within`` around it."""
    _scope.set(communities)


def visible(model: type[Row]) -> QuerySet[Row]:
    """The rows that are seen here."""
    communities = _scope.get()
    rows = model.all()
    return rows if communities is None else rows.filter(**{f"{_COMMUNITY_OF[model]}__in": sorted(communities)})


async def visible_gateways() -> frozenset[str] | None:
    """Ids of the gateways that are seen here, for what is kept by gateway elsewhere; None: of all, also unknown ones."""
    if _scope.get() is None:
        return None
    return frozenset(map(str, await visible(Gateway).values_list("id", flat=True)))


async def seen_of(model: type[Row], ids: Iterable[str]) -> frozenset[str]:
    """Those of these ids whose rows are seen here, in one query."""
    wanted = sorted(set(ids))
    rows = await visible(model).filter(id__in=wanted).values_list("id", flat=True) if wanted else []
    return frozenset(map(str, rows))


async def is_hidden(model: type[Row], key: str) -> bool:
    """There is such a row, and it is not seen here."""
    return await model.exists(pk=key) and not await visible(model).filter(pk=key).exists()
