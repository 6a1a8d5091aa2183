"""What is older than people want it kept is removed: what, after how long, and when that is done."""

from cloud_api.retention.records import record_rules
from cloud_api.retention.schedule import BATCH, EVERY_S, Rule, keep

__all__ = ["BATCH", "EVERY_S", "Rule", "keep", "record_rules"]
