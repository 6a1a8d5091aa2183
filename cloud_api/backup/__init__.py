"""Backups of a running cloud, and how to begin again from one. docs/ops/backup.md is for those who run it."""

from cloud_api.backup.manifest import BackupError, Manifest, Shown
from cloud_api.backup.postgres_dump import Server, restore_database, save_database
from cloud_api.backup.restore import restore_files, restore_is_unfinished
from cloud_api.backup.save import save_files

__all__ = [
    "BackupError", "Manifest", "Server", "Shown", "restore_database", "restore_files",
    "restore_is_unfinished", "save_database", "save_files",
]  # fmt: skip
