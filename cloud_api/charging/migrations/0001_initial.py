"""The table of charging transactions."""

# ruff: noqa: RUF012

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name="TransactionRow",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("gateway_id", fields.CharField(max_length=63)),
                ("transaction", fields.CharField(max_length=64)),
                ("seq", fields.BigIntField()),
                ("external_id", fields.CharField(max_length=128)),
                ("charge_point", fields.CharField(max_length=64)),
                ("token", fields.CharField(max_length=200)),
                ("started_ms", fields.BigIntField()),
                ("meter_start_wh", fields.FloatField()),
                ("meter_wh", fields.FloatField()),
                ("energy_wh", fields.FloatField()),
                ("ended_ms", fields.BigIntField()),
                ("reason", fields.CharField(max_length=100)),
                ("offline", fields.BooleanField()),
                ("time_unsure", fields.BooleanField()),
                ("said_ms", fields.BigIntField()),
            ],
            options={
                "table": "charging_transaction",
                "app": "charging",
                "unique_together": (("gateway_id", "transaction"),),
                "indexes": [
                    Index(fields=["gateway_id", "external_id", "started_ms"]),
                    Index(fields=["started_ms", "id"]),
                ],
                "pk_attr": "id",
                "table_description": "A charging transaction as its gateway last said it: the record with the "
                "highest ``seq``.",
            },
            bases=["Model"],
        ),
    ]
