"""How sites charge."""

# ruff: noqa: RUF012

import functools
from json import dumps, loads

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("registry", "0003_profiles")]

    operations = [
        ops.CreateModel(
            name="SiteCharging",
            fields=[
                ("gateway_id", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=63)),
                ("charging", fields.JSONField(encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads)),
                ("changed_ms", fields.BigIntField()),
            ],
            options={
                "table": "site_charging",
                "app": "registry",
                "pk_attr": "gateway_id",
                "table_description": "How a gateway's site charges: its fuse, its charge points and who may charge. "
                "Secrets stand in it.",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="Desired",
            name="charging",
            field=fields.JSONField(null=True, encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads),
        ),
    ]
