"""Telemetry: every sample by source, metric and time."""

from cloud_api.telemetry.duckdb_store import DuckDbStore
from cloud_api.telemetry.influx_http import InfluxAddress
from cloud_api.telemetry.influx_store import InfluxStore
from cloud_api.telemetry.spans import series_of, steps_of
from cloud_api.telemetry.store import AGGREGATES, Aggregate, Point, Source, StoreAway, TelemetryStore

__all__ = [
    "AGGREGATES",
    "Aggregate",
    "DuckDbStore",
    "InfluxAddress",
    "InfluxStore",
    "Point",
    "Source",
    "StoreAway",
    "TelemetryStore",
    "series_of",
    "steps_of",
]
