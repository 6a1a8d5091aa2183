"""The table of charging transactions. Times are ms UTC, energy in Wh."""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model


class TransactionRow(Model):
    """A charging transaction as its gateway last said it: the record with the highest ``seq``.

    external_id  the connector, as its gateway calls it
    ended_ms     0 while it goes on
    """

    id = fields.BigIntField(primary_key=True)
    gateway_id = fields.CharField(max_length=63)
    transaction = fields.CharField(max_length=64)
    seq = fields.BigIntField()
    external_id = fields.CharField(max_length=128)
    charge_point = fields.CharField(max_length=64)
    token = fields.CharField(max_length=200)
    started_ms = fields.BigIntField()
    meter_start_wh = fields.FloatField()
    meter_wh = fields.FloatField()
    energy_wh = fields.FloatField()
    ended_ms = fields.BigIntField()
    reason = fields.CharField(max_length=100)
    offline = fields.BooleanField()
    time_unsure = fields.BooleanField()
    said_ms = fields.BigIntField()

    class Meta:
        table = "charging_transaction"
        unique_together = (("gateway_id", "transaction"),)
        indexes = (
            Index(fields=("gateway_id", "external_id", "started_ms")),
            Index(fields=("started_ms", "id")),
        )
