"""The ledger of a gateway: does everything it produced add up?"""

from cloud_api.ledger.book import SCHEMA, GatewayLedger, LedgerBook, gateway_ledger

__all__ = ["SCHEMA", "GatewayLedger", "LedgerBook", "gateway_ledger"]
