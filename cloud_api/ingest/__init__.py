"""Ingest: takes gateways' frames, commits them to the frame log, then acknowledges them."""

from cloud_api.ingest.ingest import QUEUE_FRAMES, Ingest, IngestCounts
from cloud_api.ingest.presence import GatewayPresence
from cloud_api.ingest.session import BrokerAddress, BrokerSession

__all__ = ["QUEUE_FRAMES", "BrokerAddress", "BrokerSession", "GatewayPresence", "Ingest", "IngestCounts"]
