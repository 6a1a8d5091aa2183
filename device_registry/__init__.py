"""The book of record: communities, facilities, gateways, devices, profiles, desired state.

All queries are in this package, and ``scope`` narrows them down to a caller's communities. Open the database first::

    async with open_database("sqlite:///var/registry.sqlite"):
        await put_community("liuyuan", Name("柳园", "Willow Garden"), now_ms)
"""

from device_registry.adoption import adopt_device, device_seen, devices_seen, sighting_fault
from device_registry.charging import put_site_charging, site_charging
from device_registry.database import APPS, Where, config, migrate, open_database, writing
from device_registry.desired import Sign, desired_states, desired_versions, reported
from device_registry.devices import DeviceFilter, change_device, device, devices, devices_at
from device_registry.discoveries import adopt_discovery, discovered, discoveries, discovery_fault, dismiss
from device_registry.errors import (
    SESSION_LOST,
    UNAVAILABLE,
    Conflict,
    DatabaseUnavailable,
    NotFound,
    RegistryError,
    ValueRefused,
    database_errors,
)
from device_registry.ids import device_id
from device_registry.models import Community, Device, Discovery, Facility, Gateway, ProfileVersion, Recovery
from device_registry.names import Name
from device_registry.places import (
    communities,
    community,
    facilities,
    facility,
    gateway,
    gateways,
    put_community,
    put_facility,
    put_gateway,
)
from device_registry.postgres import PostgresAddress
from device_registry.profiles import (
    add_profile,
    profile_places,
    profile_versions,
    push_profile,
    recovered,
    recoveries,
    refused_profiles,
)
from device_registry.scope import EVERYWHERE, NOWHERE, Communities, see, visible_gateways, within

__all__ = [
    "APPS",
    "EVERYWHERE",
    "NOWHERE",
    "SESSION_LOST",
    "UNAVAILABLE",
    "Communities",
    "Community",
    "Conflict",
    "DatabaseUnavailable",
    "Device",
    "DeviceFilter",
    "Discovery",
    "Facility",
    "Gateway",
    "Name",
    "NotFound",
    "PostgresAddress",
    "ProfileVersion",
    "Recovery",
    "RegistryError",
    "Sign",
    "ValueRefused",
    "Where",
    "add_profile",
    "adopt_device",
    "adopt_discovery",
    "change_device",
    "communities",
    "community",
    "config",
    "database_errors",
    "desired_states",
    "desired_versions",
    "device",
    "device_id",
    "device_seen",
    "devices",
    "devices_at",
    "devices_seen",
    "discovered",
    "discoveries",
    "discovery_fault",
    "dismiss",
    "facilities",
    "facility",
    "gateway",
    "gateways",
    "migrate",
    "open_database",
    "profile_places",
    "profile_versions",
    "push_profile",
    "put_community",
    "put_facility",
    "put_gateway",
    "put_site_charging",
    "recovered",
    "recoveries",
    "refused_profiles",
    "reported",
    "see",
    "sighting_fault",
    "site_charging",
    "visible_gateways",
    "within",
    "writing",
]
