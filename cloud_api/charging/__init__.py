"""Charging: transactions as gateways said them, sessions of all other piles made from what they said, sites' settings."""

from cloud_api.charging.routes import router
from cloud_api.charging.site_routes import router as site_router
from cloud_api.charging.transactions import transaction_fault, transaction_said

__all__ = ["router", "site_router", "transaction_fault", "transaction_said"]
