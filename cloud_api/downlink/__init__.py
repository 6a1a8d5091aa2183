"""The way down: commands and desired state to gateways."""

from cloud_api.downlink.desired import publish_desired
from cloud_api.downlink.link import Broker, Downlink

__all__ = ["Broker", "Downlink", "publish_desired"]
