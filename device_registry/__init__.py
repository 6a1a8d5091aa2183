"""The book of record: communities, facilities, gateways, devices, profiles, desired state.

All queries are in this package, and ``scope`` narrows them down to a caller's communities. Open the database first::

    async with open_database("sqlite:///var/registry.sqlite"):
        await put_community("liuyuan", Name("柳园", "Willow Garden"), now_ms)
"""

from device_registry.adoption import adopt_device, device_seen, devices_seen, sighting_fault
from device_registry.charging import erase_token, put_site_charging, site_charging, token_named, token_names
from device_registry.database import APPS, Where, config, migrate, open_database, writing
from device_registry.desired import Sign, desired_states, desired_versions, outgrow_applied, reported
from device_registry.devices import DeviceFilter, change_device, device, devices
from device_registry.discoveries import (
    Reads,
    adopt_discovery,
    discovered,
    discoveries,
    discovery,
    discovery_fault,
    dismiss,
    release,
)
from device_registry.errors import (
    OF_A_VALUE,
    SESSION_LOST,
    UNAVAILABLE,
    Conflict,
    DatabaseUnavailable,
    DesiredTooLarge,
    NotFound,
    RegistryError,
    ValueRefused,
    database_errors,
    is_of_a_value,
)
from device_registry.ids import device_id
from device_registry.models import Community, Device, Discovery, Facility, Gateway, ProfileVersion, Recovery
from device_registry.moves import move_device
from device_registry.names import Name
from device_registry.places import (
    communities,
    community,
    community_of_gateway,
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
from device_registry.scope import EVERYWHERE, NOWHERE, Communities, see, seen_of, visible_gateways, within
from device_registry.sources import SourceSpan, devices_at, sources_of, sources_of_all

__all__ = [
    "APPS",
    "EVERYWHERE",
    "NOWHERE",
    "OF_A_VALUE",
    "SESSION_LOST",
    "UNAVAILABLE",
    "Communities",
    "Community",
    "Conflict",
    "DatabaseUnavailable",
    "DesiredTooLarge",
    "Device",
    "DeviceFilter",
    "Discovery",
    "Facility",
    "Gateway",
    "Name",
    "NotFound",
    "PostgresAddress",
    "ProfileVersion",
    "Reads",
    "Recovery",
    "RegistryError",
    "Sign",
    "SourceSpan",
    "ValueRefused",
    "Where",
    "add_profile",
    "adopt_device",
    "adopt_discovery",
    "change_device",
    "communities",
    "community",
    "community_of_gateway",
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
    "discovery",
    "discovery_fault",
    "dismiss",
    "erase_token",
    "facilities",
    "facility",
    "gateway",
    "gateways",
    "is_of_a_value",
    "migrate",
    "move_device",
    "open_database",
    "outgrow_applied",
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
    "release",
    "reported",
    "see",
    "seen_of",
    "sighting_fault",
    "site_charging",
    "sources_of",
    "sources_of_all",
    "token_named",
    "token_names",
    "visible_gateways",
    "within",
    "writing",
]
