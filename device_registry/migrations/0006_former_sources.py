"""Where devices were before they were moved to another gateway."""

# ruff: noqa: RUF012

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("registry", "0005_discovery")]

    operations = [
        ops.AddField(model_name="Device", name="since_ms", field=fields.BigIntField(default=0, db_default=0)),
        ops.CreateModel(
            name="FormerSource",
            fields=[
                ("id", fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("device_id", fields.CharField(db_index=True, max_length=20)),
                ("gateway_id", fields.CharField(max_length=63)),
                ("external_id", fields.CharField(max_length=128)),
                ("from_ms", fields.BigIntField()),
                ("to_ms", fields.BigIntField()),
            ],
            options={
                "table": "former_source",
                "app": "registry",
                "indexes": [Index(fields=["gateway_id", "external_id"])],
                "pk_attr": "id",
                "table_description": "A source that a device had before it was moved, and from when to when (event time).",
            },
            bases=["Model"],
        ),
    ]
