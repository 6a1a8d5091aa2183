"""The frame log: the cloud's durable log of every gateway's frames, each exactly once."""

from cloud_api.framelog.log import CONFLICTS_KEPT, Conflict, FrameLog, IncomingFrame, LoggedFrame, Outcome
from cloud_api.framelog.postgres import PostgresFrameLog
from cloud_api.framelog.sqlite import SqliteFrameLog

__all__ = [
    "CONFLICTS_KEPT",
    "Conflict",
    "FrameLog",
    "IncomingFrame",
    "LoggedFrame",
    "Outcome",
    "PostgresFrameLog",
    "SqliteFrameLog",
]
