"""Is a device's word to be believed? Checks over the near past of each device, and what they find."""

from cloud_api.quality.projection import QualityTracks
from cloud_api.quality.suite import Finding

__all__ = ["Finding", "QualityTracks"]
