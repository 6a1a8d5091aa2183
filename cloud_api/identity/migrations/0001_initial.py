"""Claims and certificates. Made by ``tortoise makemigrations``."""

# ruff: noqa: RUF012

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name="CertificateRow",
            fields=[
                ("serial", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=40)),
                ("gateway_id", fields.CharField(max_length=63)),
                ("claim_id", fields.CharField(null=True, unique=True, max_length=40)),
                ("public_key", fields.CharField(max_length=64)),
                ("pem", fields.TextField(unique=False)),
                ("issued_ms", fields.BigIntField()),
                ("begins_ms", fields.BigIntField()),
                ("ends_ms", fields.BigIntField()),
                ("revoked_ms", fields.BigIntField(null=True)),
                ("reason", fields.CharField(default="", max_length=200)),
            ],
            options={
                "table": "certificate",
                "app": "identity",
                "indexes": [Index(fields=["gateway_id", "issued_ms"])],
                "pk_attr": "serial",
                "table_description": "A certificate that was issued to a gateway.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ClaimRow",
            fields=[
                ("id", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=40)),
                ("digest", fields.CharField(unique=True, max_length=64)),
                ("gateway_id", fields.CharField(max_length=63)),
                ("issuer", fields.CharField(max_length=100)),
                ("created_ms", fields.BigIntField()),
                ("expires_ms", fields.BigIntField()),
                ("withdrawn_ms", fields.BigIntField(null=True)),
                ("used_ms", fields.BigIntField(null=True)),
                ("refused", fields.IntField(default=0)),
            ],
            options={
                "table": "claim",
                "app": "identity",
                "indexes": [Index(fields=["gateway_id", "created_ms"])],
                "pk_attr": "id",
                "table_description": "Leave for one gateway to get its first certificate.",
            },
            bases=["Model"],
        ),
    ]
