"""A little SQL behind which SQLite and PostgreSQL are the same: for stores with a handful of plain statements."""

from cloud_api.database.postgres import PostgresDatabase, open_postgres
from cloud_api.database.sql import Database, Statement
from cloud_api.database.sqlite import Ask, SqliteDatabase

__all__ = ["Ask", "Database", "PostgresDatabase", "SqliteDatabase", "Statement", "open_postgres"]
