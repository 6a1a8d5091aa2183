"""Bins: how full, when full, when emptied."""

from cloud_api.bins.routes import router

__all__ = ["router"]
