"""Ingest: takes gateways' frames, commits them to the frame log, then acknowledges them."""

from cloud_api.ingest.fair_queue import MESSAGES_MAX
from cloud_api.ingest.ingest import Ingest, IngestCounts
from cloud_api.ingest.presence import GatewayPresence
from cloud_api.ingest.session import BrokerAddress, BrokerSession

__all__ = ["MESSAGES_MAX", "BrokerAddress", "BrokerSession", "GatewayPresence", "Ingest", "IngestCounts"]
