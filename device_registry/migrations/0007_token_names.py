"""The names of charging tokens stay in the cloud."""

# ruff: noqa: RUF012

import functools
from json import dumps, loads

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("registry", "0006_former_sources")]

    operations = [
        ops.AddField(
            model_name="SiteCharging",
            name="names",
            field=fields.JSONField(
                default=dict, db_default={}, encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
            ),
        ),
    ]
