"""Who may do what at the cloud's broker, and how the cloud's own programs prove who they are there."""

from cloud_api.broker_access.acl import gateways_acl
from cloud_api.broker_access.files import write_access, write_file
from cloud_api.broker_access.nats import nats_access
from cloud_api.broker_access.rights import SERVICE_URN, SERVICES, TAKING_SERVICES
from cloud_api.broker_access.tls import certificate_name, client_context

__all__ = [
    "SERVICES",
    "SERVICE_URN",
    "TAKING_SERVICES",
    "certificate_name",
    "client_context",
    "gateways_acl",
    "nats_access",
    "write_access",
    "write_file",
]
