"""Which instance is each gateway's, kept over a restart of the cloud: else whichever twin connects first would be it."""

from collections.abc import Mapping

from cloud_api.database import Database, Statement

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS instances (gateway TEXT PRIMARY KEY, instance TEXT NOT NULL, since_ms BIGINT NOT NULL)"
)


class Instances:
    """In a database that has the table of SCHEMA. Written when another instance becomes the gateway's, which is rare."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> dict[str, str]:
        """Gateway -> its instance."""
        rows = await self._database.fetch("SELECT gateway, instance FROM instances")
        return {str(gateway): str(instance) for gateway, instance in rows}

    async def keep(self, changed: Mapping[str, str], now_ms: int) -> None:
        """These gateways have another instance now."""
        await self._database.execute(
            *(
                Statement(
                    "INSERT INTO instances VALUES ($1, $2, $3) ON CONFLICT (gateway) "
                    "DO UPDATE SET instance = excluded.instance, since_ms = excluded.since_ms",
                    (gateway, instance, now_ms),
                )
                for gateway, instance in sorted(changed.items())
            )
        )
