"""Who asked for what: a chain of entries that nobody can change unseen. docs/audit.md."""

from cloud_api.audit.entries import Draft
from cloud_api.audit.log import AuditLog
from cloud_api.audit.recording import AuditRequests, note, reads_personal_data
from cloud_api.audit.store import SCHEMA, AuditStore, FileAuditStore, SharedAuditStore

__all__ = [
    "SCHEMA",
    "AuditLog",
    "AuditRequests",
    "AuditStore",
    "Draft",
    "FileAuditStore",
    "SharedAuditStore",
    "note",
    "reads_personal_data",
]
