"""The database of record: registry, commands, approvals, charging, identity and people in one file, with their migrations."""

from collections.abc import Mapping

import device_registry

APPS: Mapping[str, str] = {
    **device_registry.APPS,
    "commands": "cloud_api.commands",
    "approvals": "cloud_api.approvals",
    "charging": "cloud_api.charging",
    "identity": "cloud_api.identity",
    "people": "cloud_api.people",
}
"""App label -> package with ``models`` and ``migrations``, in the order in which they are migrated."""
