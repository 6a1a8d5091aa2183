"""Mock device firmware will live here: A/B slots, signature check, self test, rollback, and bad images on purpose.

Nothing is here yet, and nothing imports it.
"""
