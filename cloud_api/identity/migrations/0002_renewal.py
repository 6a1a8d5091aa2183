"""When a certificate was first used, and uses of claims that were refused."""

# ruff: noqa: RUF012

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("identity", "0001_initial")]

    operations = [
        ops.AddField(model_name="CertificateRow", name="first_used_ms", field=fields.BigIntField(null=True)),
        ops.CreateModel(
            name="RefusalRow",
            fields=[
                ("id", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=40)),
                ("at_ms", fields.BigIntField()),
                ("reason", fields.CharField(max_length=40)),
                ("claim_id", fields.CharField(default="", max_length=40)),
                ("gateway_id", fields.CharField(default="", max_length=63)),
                ("address", fields.CharField(default="", max_length=64)),
            ],
            options={
                "table": "claim_refusal",
                "app": "identity",
                "indexes": [Index(fields=["at_ms", "id"])],
                "pk_attr": "id",
                "table_description": "Somebody tried a claim in vain.",
            },
            bases=["Model"],
        ),
    ]
