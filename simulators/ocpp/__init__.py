"""Charge points that speak OCPP 1.6J and 2.0.1, with cars that obey their limits, and the truth of what they charged."""
