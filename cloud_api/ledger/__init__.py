"""The ledger of a gateway: does everything it produced add up?"""

from cloud_api.ledger.book import GatewayLedger, LedgerBook, gateway_ledger

__all__ = ["GatewayLedger", "LedgerBook", "gateway_ledger"]
