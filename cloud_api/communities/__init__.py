"""Communities, their facilities and gateways."""

from cloud_api.communities.routes import router

__all__ = ["router"]
