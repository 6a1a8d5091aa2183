"""Charge points that speak OCPP: the gateway's central system."""
