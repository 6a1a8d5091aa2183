"""Telemetry: every sample by source, metric and time.

Its engines, ``duckdb_store`` and ``influx_store``, are imported by who chose one: each brings large libraries.
"""

from cloud_api.telemetry.spans import series_of, steps_of
from cloud_api.telemetry.store import AGGREGATES, Aggregate, Point, Source, StoreAway, TelemetryStore

__all__ = [
    "AGGREGATES",
    "Aggregate",
    "Point",
    "Source",
    "StoreAway",
    "TelemetryStore",
    "series_of",
    "steps_of",
]
