"""Who may do what at the cloud's broker, and how the cloud's own programs prove who they are there."""

from cloud_api.broker_access.acl import gateways_acl, write_file
from cloud_api.broker_access.tls import certificate_name, client_context

__all__ = ["certificate_name", "client_context", "gateways_acl", "write_file"]
