"""Charging sessions, made from what piles said."""

from cloud_api.charging.routes import router

__all__ = ["router"]
