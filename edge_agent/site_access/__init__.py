"""Devices' identities at the local broker: nobody speaks for another. docs/site-access.md says how to set it up."""

from edge_agent.site_access.acl import site_acl
from edge_agent.site_access.files import write_site_access

__all__ = ["site_acl", "write_site_access"]
