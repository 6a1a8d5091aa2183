"""Devices' identities at the local broker: nobody speaks for another. docs/site-access.md says how to set it up."""

from edge_agent.site_access.files import new_password, write_site_access
from edge_agent.site_access.mosquitto import mosquitto_acl
from edge_agent.site_access.nats import nats_users
from edge_agent.site_access.rights import Rights, device_rights

__all__ = ["Rights", "device_rights", "mosquitto_acl", "nats_users", "new_password", "write_site_access"]
