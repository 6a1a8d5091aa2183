"""Ingest: takes gateways' frames, commits them to the frame log, then acknowledges them."""

from cloud_api.ingest.ingest import BrokerAddress, Ingest, IngestCounts
from cloud_api.ingest.presence import GatewayPresence

__all__ = ["BrokerAddress", "GatewayPresence", "Ingest", "IngestCounts"]
