"""Ingest: takes gateways' frames, commits them to the frame log, then acknowledges them."""

from cloud_api.ingest.ingest import QUEUE_FRAMES, BrokerAddress, Ingest, IngestCounts
from cloud_api.ingest.presence import GatewayPresence

__all__ = ["QUEUE_FRAMES", "BrokerAddress", "GatewayPresence", "Ingest", "IngestCounts"]
