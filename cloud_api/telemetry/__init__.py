"""Telemetry: every sample by source, metric and time."""

from cloud_api.telemetry.duckdb_store import DuckDbStore
from cloud_api.telemetry.store import AGGREGATES, Aggregate, Point, Source, TelemetryStore

__all__ = ["AGGREGATES", "Aggregate", "DuckDbStore", "Point", "Source", "TelemetryStore"]
