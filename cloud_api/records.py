"""The database of record: the registry's tables, the commands' and those of identity, in one file, with their migrations."""

from collections.abc import Mapping

import device_registry

APPS: Mapping[str, str] = {**device_registry.APPS, "commands": "cloud_api.commands", "identity": "cloud_api.identity"}
"""App label -> package with ``models`` and ``migrations``, in the order in which they are migrated."""
