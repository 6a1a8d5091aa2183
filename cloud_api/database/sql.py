"""What a store may ask of its database. Statements are those that SQLite and PostgreSQL understand alike."""

from typing import Any, NamedTuple, Protocol


class Statement(NamedTuple):
    """One statement. values: for $1, $2, ..."""

    sql: str
    values: tuple[Any, ...] = ()


class Database(Protocol):
    """Raises DatabaseUnavailable when the disk, or the server, does not take it: hold and try again.
    Raises ValueRefused for a value that it never takes."""

    async def fetch(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows of a query."""

    async def execute(self, *statements: Statement) -> None:
        """All statements in one transaction, durable when this returns."""
