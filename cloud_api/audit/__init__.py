"""Who asked for what: a chain of entries that nobody can change unseen. docs/audit.md.

``recording`` is how HTTP requests come to be entries; checking an export needs no web framework.
"""

from cloud_api.audit.entries import Draft
from cloud_api.audit.log import AuditLog
from cloud_api.audit.store import SCHEMA, AuditStore, FileAuditStore, SharedAuditStore

__all__ = [
    "SCHEMA",
    "AuditLog",
    "AuditStore",
    "Draft",
    "FileAuditStore",
    "SharedAuditStore",
]
