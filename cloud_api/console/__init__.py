"""The console's static files."""

from cloud_api.console.routes import HEADERS, console_router

__all__ = ["HEADERS", "console_router"]
