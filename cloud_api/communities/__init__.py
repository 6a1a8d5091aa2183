"""Communities, their facilities and gateways."""

from cloud_api.communities.routes import router
from cloud_api.communities.scope import community_of

__all__ = ["community_of", "router"]
